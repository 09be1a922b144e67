"""Import the readers that are extras; a missing one is one sentence with the command that installs it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pipeline.errors import DependencyUnavailable

__all__ = ["import_reader"]


def import_reader(module: str, *, extra: str, needed_by: str) -> Any:
    """Return a module that an extra of the project installs.

    Raises
    ------
    DependencyUnavailable
        When it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise DependencyUnavailable(
            f"{needed_by}: its reader is not installed; run `pip install 'declarative-mlops[{extra}]'`,"
            f" or in the project `.venv/bin/pip install -e '.[{extra}]'`"
        ) from error
