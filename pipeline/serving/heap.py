"""Return free memory to the system: C libraries keep free pages between blocks that are in use."""

from __future__ import annotations

import ctypes

__all__ = ["release_free_memory"]


def release_free_memory() -> bool:
    """Return whole free pages of the heap to the system, and whether there were any; False without glibc.

    It takes milliseconds, in which other threads wait for memory: for rare moments, such as after a change of models.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    return bool(trim(0))
