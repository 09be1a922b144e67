"""A clock for decisions about age: a jump of the machine's clock neither ends nor prolongs what it measures."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SteadyClock", "elapsed_s"]

# Corrections that a time service makes in steps; slow corrections change both clocks alike.
_MAX_STEP_S = 2.0
# A clock that was wrong at the start and is set once stays different for longer than this.
_SETTLING_S = 900.0


def elapsed_s() -> float:
    """Return the seconds since the machine started, with the time in which it was suspended."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


@dataclass(slots=True)
class SteadyClock:
    """Returns seconds since 1970: the machine's clock at the start plus elapsed time; adopts a jump after 15 minutes.

    Parameters
    ----------
    wall : callable
        Returns the seconds since 1970 of the machine's clock.
    elapsed : callable
        Returns the seconds of a clock that never jumps.
    """

    wall: Callable[[], float] = time.time
    elapsed: Callable[[], float] = elapsed_s
    _offset_s: float = field(init=False)
    _new_offset_s: float = field(init=False)
    _jumped_at_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Trust the clock of the machine at the start."""
        self._jumped_at_s = self.elapsed()
        self._offset_s = self._new_offset_s = self.wall() - self._jumped_at_s

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        elapsed = self.elapsed()
        offset = self.wall() - elapsed
        if abs(offset - self._offset_s) <= _MAX_STEP_S:
            self._offset_s = self._new_offset_s = offset
        elif abs(offset - self._new_offset_s) > _MAX_STEP_S:
            self._new_offset_s, self._jumped_at_s = offset, elapsed
        elif elapsed - self._jumped_at_s >= _SETTLING_S:
            self._offset_s = offset
        return elapsed + self._offset_s
