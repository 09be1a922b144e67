"""Decide from samples over time whether a quantity grows: slope by Theil and Sen, its 95 % interval, a verdict.

Neighboring samples resemble each other, so each of a few blocks is represented by its median.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Growth", "Trend", "fit_trend", "measure_growth"]

_N_BLOCKS = 24
_NORMAL_97_5 = 1.96


@dataclass(frozen=True, slots=True)
class Trend:
    """Slope for an hour, with the ends of its 95 % interval."""

    slope: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Growth:
    """The trend of all samples after the warm-up, that of their later half, and the verdict.

    The verdict is "grows" if the later half has a slope that is above the limit and above zero with 95 % confidence.
    It is "settles" if only the samples before it have, as pools that fill up; otherwise it is "flat".
    """

    first: float
    last: float
    whole: Trend
    later_half: Trend
    verdict: str


def measure_growth(samples: Sequence[tuple[float, float]], *, limit_per_hour: float) -> Growth:
    """Return the growth of (seconds, value), in the order of time; at least eight samples."""
    whole, later_half = fit_trend(samples), fit_trend(samples[len(samples) // 2 :])
    verdict = "flat"
    if _exceeds(later_half, limit_per_hour):
        verdict = "grows"
    elif _exceeds(whole, limit_per_hour):
        verdict = "settles"
    return Growth(samples[0][1], samples[-1][1], whole, later_half, verdict)


def _exceeds(trend: Trend, limit: float) -> bool:
    return trend.low > 0 and trend.slope > limit


def fit_trend(samples: Sequence[tuple[float, float]], *, n_blocks: int = _N_BLOCKS) -> Trend:
    """Return the median of all pairwise slopes of the blocks, and the interval of Sen (1968), for an hour."""
    points = _block_medians(samples, n_blocks)
    n = len(points)
    slopes = sorted(
        3600 * (later - value) / (later_at - at)
        for i, (at, value) in enumerate(points)
        for later_at, later in points[i + 1 :]
    )
    ties = Counter(value for _, value in points).values()
    variance = (n * (n - 1) * (2 * n + 5) - sum(tie * (tie - 1) * (2 * tie + 5) for tie in ties)) / 18
    width = _NORMAL_97_5 * math.sqrt(variance)
    low = max(math.floor((len(slopes) - width) / 2), 0)
    high = min(math.ceil((len(slopes) + width) / 2), len(slopes) - 1)
    return Trend(median(slopes), slopes[low], slopes[high])


def _block_medians(samples: Sequence[tuple[float, float]], n_blocks: int) -> list[tuple[float, float]]:
    n_blocks = min(n_blocks, len(samples))
    bounds = [len(samples) * at // n_blocks for at in range(n_blocks + 1)]
    blocks = [samples[start:end] for start, end in pairwise(bounds)]
    return [(median(at for at, _ in block), median(value for _, value in block)) for block in blocks]
