"""Limit the requests of a caller, the failed credentials of an address, and the concurrent work."""

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
    """A token bucket for each caller: a request takes one token.

    Parameters
    ----------
    per_s : float
        Tokens that are added in a second.
    burst : float
        Tokens that a bucket can hold.
    max_callers : int
        Buckets in memory; the least recently used one is dropped first.
    clock : callable
        Returns seconds.
    """

    per_s: float
    burst: float
    max_callers: int = 10_000
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait_s(self, caller: str) -> float:
        """Take a token and return 0; or, without one, return the seconds until the next token."""
        now = self.clock()
        n_tokens, updated_s = self._buckets.get(caller, (self.burst, now))
        n_tokens = min(self.burst, n_tokens + (now - updated_s) * self.per_s)
        wait_s = 0.0 if n_tokens >= 1 else (1 - n_tokens) / self.per_s
        if not wait_s:
            n_tokens -= 1
        self._buckets[caller] = (n_tokens, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self.max_callers:
            self._buckets.popitem(last=False)
        return wait_s


@dataclass(slots=True)
class ConcurrencyLimiter:
    """Limits the number of concurrent requests, and the bytes of their bodies.

    A request counts from the arrival of its body on. While no other request runs, one of any size is admitted.
    """

    max_requests: int
    max_bytes: int
    n_requests: int = 0
    n_bytes: int = 0
    n_shed: int = 0

    def acquire(self, n_bytes: int) -> bool:
        """Admit a request with a body of `n_bytes`; return False if a limit is reached."""
        if self.n_requests and (self.n_requests >= self.max_requests or self.n_bytes + n_bytes > self.max_bytes):
            self.n_shed += 1
            return False
        self.n_requests += 1
        self.n_bytes += n_bytes
        return True

    def release(self, n_bytes: int) -> None:
        """Release an admitted request."""
        self.n_requests -= 1
        self.n_bytes -= n_bytes


@dataclass(slots=True)
class RefusalPacer:
    """Delays refusals: each waits at least `pause_s`, and at most `per_s` of them are sent in a second.

    A client that ignores Retry-After is slowed down by the pause, so refusals stay cheap under overload. Spread
    refusals keep such clients from returning at the same moment.
    """

    pause_s: float = 0.5
    per_s: float = 250.0
    clock: Callable[[], float] = time.monotonic
    _next_at_s: float = field(default=float("-inf"))

    def wait_s(self) -> float:
        """Return the seconds until the next refusal may be sent."""
        now = self.clock()
        self._next_at_s = max(self._next_at_s + 1 / self.per_s, now + self.pause_s)
        return self._next_at_s - now
