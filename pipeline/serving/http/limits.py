"""Say when there is too much: requests of one caller, failed credentials of one address, work at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ConcurrencyLimiter", "RateLimiter", "RefusalPacer"]


@dataclass(slots=True)
class RateLimiter:
    """A bucket of tokens for each caller: `per_s` flow in, at most `burst` are in it, each request takes one.

    At most `n_callers` are remembered; those not heard of for the longest time are forgotten first.
    """

    per_s: float
    burst: float
    max_callers: int = 10_000
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait_s(self, caller: str, *, consume: bool = True) -> float:
        """Return 0 and take a token; or return after how many seconds there will be one, and take none."""
        now = self.clock()
        level, then = self._buckets.get(caller, (self.burst, now))
        level = min(self.burst, level + (now - then) * self.per_s)
        waits = 0.0 if level >= 1 else (1 - level) / self.per_s
        if consume and not waits:
            level -= 1
        self._buckets[caller] = (level, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self.max_callers:
            self._buckets.popitem(last=False)
        return waits


@dataclass(slots=True)
class ConcurrencyLimiter:
    """How much is being answered now; a request is let in only after its body has arrived.

    A single request is let in whatever its size while nothing else is being answered.
    """

    max_requests: int
    max_bytes: int
    n_requests: int = 0
    n_bytes: int = 0
    n_shed: int = 0

    def acquire(self, n_bytes: int) -> bool:
        """Let a request of so many bytes in, or say no."""
        if self.n_requests and (self.n_requests >= self.max_requests or self.n_bytes + n_bytes > self.max_bytes):
            self.n_shed += 1
            return False
        self.n_requests += 1
        self.n_bytes += n_bytes
        return True

    def release(self, n_bytes: int) -> None:
        """Let it out again."""
        self.n_requests -= 1
        self.n_bytes -= n_bytes


@dataclass(slots=True)
class RefusalPacer:
    """Spread refusals over time: each waits `pause_s` at least, and at most `per_s` of them go out in a second.

    Who does not heed Retry-After and comes back at once is answered late, so that refusing costs little however many
    ask; and one after the other, so that they do not all come back together and hold up the loop for everybody.
    """

    pause_s: float = 0.5
    per_s: float = 250.0
    clock: Callable[[], float] = time.monotonic
    _next_at_s: float = field(default=float("-inf"))

    def wait_s(self) -> float:
        """Return after how many seconds the next refusal may go out."""
        now = self.clock()
        self._next_at_s = max(self._next_at_s + 1 / self.per_s, now + self.pause_s)
        return self._next_at_s - now
