"""Count values into the cumulative buckets of a Prometheus histogram."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Histogram"]

# Below this number of values, a loop is faster than the array that numpy needs.
_MIN_VECTORIZED = 21
_NO_BOUND = "+Inf"


@dataclass(slots=True)
class Histogram:
    """Counts and the sum of observed values.

    Parameters
    ----------
    bounds : tuple of float
        Upper bounds of the buckets, growing; each bound belongs to its bucket (`le`). A last bucket has no bound.
    """

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = field(default=0.0, init=False)
    _edges: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)
        self._edges = np.array(self.bounds, dtype=float)

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_all(self, values: Sequence[float]) -> None:
        """Count many values."""
        if len(values) < _MIN_VECTORIZED:
            for value in values:
                self.observe(value)
            return
        array = np.asarray(values, dtype=float)
        added = np.bincount(self._edges.searchsorted(array), minlength=len(self.counts))
        self.counts[:] = [count + n for count, n in zip(self.counts, added.tolist(), strict=True)]
        self.total += float(array.sum())

    def bucket_of(self, value: float) -> str:
        """Return the upper bound of the bucket that counts a value, as `as_dict` names it."""
        number = bisect_left(self.bounds, value)
        return str(self.bounds[number]) if number < len(self.bounds) else _NO_BOUND

    def as_dict(self) -> dict[str, Any]:
        """Return plain values: `buckets` maps each upper bound to the count of values up to it; `sum`."""
        bounds = [*(str(bound) for bound in self.bounds), _NO_BOUND]
        return {"buckets": dict(zip(bounds, accumulate(self.counts), strict=True)), "sum": self.total}
