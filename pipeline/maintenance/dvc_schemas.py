"""Tell whether DVC accepts the content of its own files; another structure stops every DVC command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["is_dvc_lock", "is_dvc_rwlock"]


def is_dvc_lock(values: Any) -> bool:
    """Return whether DVC accepts the parsed content of dvc.lock."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA

    return _matches(COMPILED_LOCKFILE_SCHEMA, values)


def is_dvc_rwlock(values: Any) -> bool:
    """Return whether DVC accepts the parsed content of .dvc/tmp/rwlock."""
    from dvc.rwlock import SCHEMA

    return _matches(SCHEMA, values)


def _matches(schema: Callable[[Any], Any], values: Any) -> bool:
    from voluptuous import Invalid

    try:
        schema(values)
    except Invalid:
        return False
    return True
