"""Do what may take long beside the event loop, so that nobody else waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["apart"]

P = ParamSpec("P")
T = TypeVar("T")

# A body of this size is read in some milliseconds, even when everything in it is wrong.
_ON_LOOP_BYTES = 65_536


async def apart(size: int, work: Callable[P, T], *args: P.args, **words: P.kwargs) -> T:
    """Return what `work` returns: done here for a size of few bytes, otherwise in a thread."""
    if size <= _ON_LOOP_BYTES:
        return work(*args, **words)
    return await asyncio.to_thread(work, *args, **words)
