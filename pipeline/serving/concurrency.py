"""Do what may take long beside the event loop, so that nobody else waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_in_thread_if_large"]

P = ParamSpec("P")
T = TypeVar("T")

# A body of this size is read in some milliseconds, even when everything in it is wrong.
_MAX_EVENT_LOOP_BYTES = 65_536


async def run_in_thread_if_large(size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns: done here for a size of few bytes, otherwise in a thread."""
    if size <= _MAX_EVENT_LOOP_BYTES:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
