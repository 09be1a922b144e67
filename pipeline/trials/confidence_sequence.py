"""Bound a mean by an interval that holds at every look, however often one looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["MeanInterval", "SampleMoments", "mean_interval", "mixture_radius"]


@dataclass(frozen=True, slots=True)
class SampleMoments:
    """Number, mean and standard deviation of independent values."""

    n: int
    mean: float
    deviation: float

    @classmethod
    def of_values(cls, values: Floats) -> SampleMoments:
        """Return the moments of values, shape (n,); the deviation of fewer than two is infinite."""
        deviation = float(values.std(ddof=1)) if len(values) > 1 else math.inf
        return cls(len(values), float(values.mean()) if len(values) else 0.0, deviation)

    @classmethod
    def of_sums(cls, n: int, *, total: float, squares: float) -> SampleMoments:
        """Return the moments of `n` values from their sum and the sum of their squares."""
        if n < 2:
            return cls(n, total, math.inf)
        return cls(n, total / n, math.sqrt(max(squares - total * total / n, 0.0) / (n - 1)))


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean and its interval; the bounds are infinite where fewer than two values are known."""

    mean: float
    lower: float
    upper: float


def mixture_radius(n: int, *, deviation: float, alpha: float, target: int) -> float:
    """Return the half width of the confidence sequence of a mean after `n` values.

    Normal mixture of Robbins (1970) in the asymptotic form of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021).
    The chance that the true mean ever leaves the interval is at most `alpha`, for both sides together and as `n`
    grows.

    Parameters
    ----------
    n : int
        Number of independent values, at least 1.
    deviation : float
        Standard deviation of the values, in their unit.
    alpha : float between 0 and 0.5
    target : int
        Number of values at which the interval is narrowest.
    """
    log_alpha = -2.0 * math.log(alpha)
    spread = (log_alpha + math.log1p(log_alpha)) / target
    grown = n * spread + 1.0
    return deviation * math.sqrt(2.0 * grown / (n * n * spread) * math.log(math.sqrt(grown) / alpha))


def mean_interval(sample: SampleMoments, *, alpha: float, target: int) -> MeanInterval:
    """Return the mean of independent values with its confidence sequence.

    Parameters
    ----------
    sample : SampleMoments
        Of all values so far.
    alpha : float between 0 and 0.5
        Chance that the interval ever misses the true mean.
    target : int
        Number of values at which the interval is narrowest.
    """
    if sample.n < 2:
        return MeanInterval(sample.mean, -math.inf, math.inf)
    radius = mixture_radius(sample.n, deviation=sample.deviation, alpha=alpha, target=target)
    return MeanInterval(sample.mean, sample.mean - radius, sample.mean + radius)
