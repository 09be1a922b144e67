"""Refuse a command that needs a project where there is none, with the way out."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from pipeline.project.root import require_project

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["in_project"]


def in_project(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that first requires a project, unless it gets the folder or the address of a state database.

    The function of a group of commands checks nothing if one of them follows, which may need no project.
    """

    @wraps(command)
    def checked(**values: object) -> None:
        has_subcommand = getattr(values.get("context"), "invoked_subcommand", None) is not None
        if not has_subcommand:
            require_project(values.get("state"))
        command(**values)

    return checked
