"""Keep long work away from the event loop, so that other requests do not wait for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_in_thread_if_large"]

P = ParamSpec("P")
T = TypeVar("T")

# A body of this size is parsed in a few milliseconds, even when everything in it is wrong.
_MAX_EVENT_LOOP_BYTES = 65_536


async def run_in_thread_if_large(size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` and return its result; it runs in a thread when `size` exceeds 65,536 bytes."""
    if size <= _MAX_EVENT_LOOP_BYTES:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
