"""Say when there is too much: requests of one caller, failed credentials of one address, work at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Admission", "Buckets", "Pace"]


@dataclass(slots=True)
class Buckets:
    """A bucket of tokens for each caller: `per_s` flow in, at most `burst` are in it, each request takes one.

    At most `n_callers` are remembered; those not heard of for the longest time are forgotten first.
    """

    per_s: float
    burst: float
    n_callers: int = 10_000
    clock: Callable[[], float] = time.monotonic
    _known: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait_s(self, caller: str, *, take: bool = True) -> float:
        """Return 0 and take a token; or return after how many seconds there will be one, and take none."""
        now = self.clock()
        level, then = self._known.get(caller, (self.burst, now))
        level = min(self.burst, level + (now - then) * self.per_s)
        waits = 0.0 if level >= 1 else (1 - level) / self.per_s
        if take and not waits:
            level -= 1
        self._known[caller] = (level, now)
        self._known.move_to_end(caller)
        if len(self._known) > self.n_callers:
            self._known.popitem(last=False)
        return waits


@dataclass(slots=True)
class Admission:
    """How much is being answered now; a request is let in only after its body has arrived.

    A single request is let in whatever its size while nothing else is being answered.
    """

    max_requests: int
    max_bytes: int
    n_requests: int = 0
    n_bytes: int = 0
    n_shed: int = 0

    def enter(self, size: int) -> bool:
        """Let a request of so many bytes in, or say no."""
        if self.n_requests and (self.n_requests >= self.max_requests or self.n_bytes + size > self.max_bytes):
            self.n_shed += 1
            return False
        self.n_requests += 1
        self.n_bytes += size
        return True

    def leave(self, size: int) -> None:
        """Let it out again."""
        self.n_requests -= 1
        self.n_bytes -= size


@dataclass(slots=True)
class Pace:
    """Spread refusals over time: each waits `pause_s` at least, and at most `per_s` of them go out in a second.

    Who does not heed Retry-After and comes back at once is answered late, so that refusing costs little however many
    ask; and one after the other, so that they do not all come back together and hold up the loop for everybody.
    """

    pause_s: float = 0.5
    per_s: float = 250.0
    clock: Callable[[], float] = time.monotonic
    _last: float = field(default=float("-inf"))

    def wait_s(self) -> float:
        """Return after how many seconds the next refusal may go out."""
        now = self.clock()
        self._last = max(self._last + 1 / self.per_s, now + self.pause_s)
        return self._last - now
