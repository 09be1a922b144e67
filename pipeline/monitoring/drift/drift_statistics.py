"""Measure the distance of two distributions from their counts, with p-values and the power of the tests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.metrics.divergence import jensen_shannon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.package import Bins

    CountVector = NDArray[np.int64] | NDArray[np.float64]  # whole numbers unless rows weigh differently
    Floats = NDArray[np.float64]

__all__ = [
    "CumulativeShares",
    "RankComparison",
    "chi_squared",
    "chi_squared_power",
    "cumulative_shares",
    "holm_levels",
    "homogeneity_p_value",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "kolmogorov_smirnov_p_value",
    "kolmogorov_smirnov_power",
    "normal_power",
    "psi",
    "rank_biserial",
    "total_variation",
    "two_proportions_p_value",
    "wasserstein",
]

_MIN_SHARE = 0.0001
_MIN_EXPECTED_ROWS = 5.0
_NORMAL_PEAK_DENSITY = 0.3989  # density of the normal distribution at its mean


def psi(reference: CountVector, current: CountVector) -> float:
    """Return the population stability index, natural logarithm; an empty bin counts as a share of 0.0001.

    Examples
    --------
    >>> round(psi(np.array([50, 50]), np.array([80, 20])), 4)
    0.4159
    """
    p, q = (np.maximum(_to_shares(counts), _MIN_SHARE) for counts in (reference, current))
    return float(((q - p) * np.log(q / p)).sum())


def total_variation(reference: CountVector, current: CountVector) -> float:
    """Return half the sum of the differences of the shares: the share of rows that changed bins, 0 to 1."""
    return float(np.abs(_to_shares(reference) - _to_shares(current)).sum() / 2)


@dataclass(frozen=True, slots=True)
class CumulativeShares:
    """The values of a numeric column on both sides without missing ones, as cumulated shares at ascending `points`.

    `reference` and `current` are the shares at or below each point. Where `is_step`, all values lie on
    points; otherwise values between two points count as evenly spread.
    """

    points: Floats
    reference: Floats
    current: Floats
    n_reference: float
    n_current: float
    is_step: bool


def cumulative_shares(bins: Bins, reference: CountVector, current: CountVector) -> CumulativeShares | None:
    """Return counts in `bins.finest` as cumulated shares; None when a side, or the training rows, have no values.

    Values in the bin `unseen` have no known place and are left out.
    """
    finest = bins.finest
    points = np.array(finest.points, dtype=np.float64)
    n = len(points) if finest.kind == "values" else len(points) - 1
    sides = [np.concatenate([counts[n : n + 1], counts[:n], counts[n + 1 : n + 2]]) for counts in (reference, current)]
    totals = [float(counts.sum()) for counts in sides]
    if n < 1 or min(totals) == 0:
        return None
    below, above = (np.cumsum(counts)[:-1] / total for counts, total in zip(sides, totals, strict=True))
    is_step = finest.kind == "values"
    if is_step:
        below, above = below[1:], above[1:]
    elif n > 2 and bool(np.all(np.diff(points[2:]) == 1.0)):
        # Whole numbers: the first bin holds the lowest of them, each other one its upper edge.
        points, below, above, is_step = np.delete(points, 1), below[1:], above[1:], True
    return CumulativeShares(points, below, above, totals[0], totals[1], is_step)


def kolmogorov_smirnov(shares: CumulativeShares) -> float:
    """Return the largest difference of the cumulated shares, 0 to 1 (Kolmogorov 1933, Smirnov 1948).

    Notes
    -----
    Within a bin of the grid the shares are not known. The result is at most one bin's share of the reference
    (0.001) below that of the raw rows. Values outside of the points count as one bin on either side.
    """
    return float(np.abs(shares.reference - shares.current).max())


def wasserstein(shares: CumulativeShares) -> float:
    """Return the area between the cumulated shares (Kantorovich 1942), in the unit of the column.

    Values beyond the outermost points count as lying there, so that one outlier cannot change the result.
    """
    gap = shares.reference - shares.current
    widths = np.diff(shares.points)
    if shares.is_step:
        return float((np.abs(gap[:-1]) * widths).sum())
    left, right = np.abs(gap[:-1]), np.abs(gap[1:])
    crossing = gap[:-1] * gap[1:] < 0
    span = np.where(crossing, left + right, 1.0)
    areas = np.where(crossing, (left**2 + right**2) / (2 * span), (left + right) / 2)
    return float((areas * widths).sum())


def kolmogorov_smirnov_p_value(distance: float, n_reference: float, n_current: float) -> float:
    """Return the p-value of a Kolmogorov-Smirnov distance, in the large-sample form with Stephens' correction (1970).

    With ties, as among whole numbers, the p-value is conservative.
    """
    from scipy.special import kolmogorov

    root = math.sqrt(n_reference * n_current / (n_reference + n_current))
    return float(kolmogorov((root + 0.12 + 0.11 / root) * distance))


@dataclass(frozen=True, slots=True)
class RankComparison:
    """The rank-biserial correlation of two sides, its p-value, and the rows that were compared."""

    value: float
    p_value: float
    n_reference: float
    n_current: float


def rank_biserial(bins: Bins, reference: CountVector, current: CountVector) -> RankComparison:
    """Return by how much current values rank above reference values, -1 to 1 (Cureton 1956; Cliff's delta).

    The p-value is that of the Mann-Whitney test (1947) with its correction for ties. Frequent single values are left
    out, since the shares of bins show them: `Bins.single_values` marks them.

    Notes
    -----
    Values of one bin count as equal. A grid bin holds a thousandth of the reference, so the error is below 0.001.
    """
    from scipy.special import ndtr

    finest = bins.finest
    n = finest.n_bins - finest.n_outside
    is_ranked = np.concatenate([[True], ~bins.single_values, [True]])
    before, after = (
        np.concatenate([counts[n : n + 1], counts[:n], counts[n + 1 : n + 2]])[is_ranked].astype(np.float64)
        for counts in (reference, current)
    )
    n_before, n_after = float(before.sum()), float(after.sum())
    total = n_before + n_after
    if min(n_before, n_after) == 0 or total < 3:
        return RankComparison(0.0, 1.0, n_before, n_after)
    wins = float((after * (np.cumsum(before) - before / 2)).sum()) / (n_before * n_after)
    ties = before + after
    tie_term = float((ties**3 - ties).sum()) / (total * (total - 1))
    variance = (total + 1 - tie_term) / (12 * n_before * n_after)
    p_value = 2 * float(ndtr(-abs(wins - 0.5) / math.sqrt(variance))) if variance > 0 else 1.0
    return RankComparison(2 * wins - 1, p_value, n_before, n_after)


def chi_squared(reference: CountVector, current: CountVector) -> float:
    """Return the two-sample chi-squared statistic (Pearson 1900); 0 where a side or all bins but one are empty."""
    table = np.array([reference, current], dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


def homogeneity_p_value(reference: CountVector, current: CountVector) -> float:
    """Return the p-value of both sides having equal shares.

    The chi-squared test covers the bins in which five or more rows are expected on either side. The exact binomial
    test covers all others together, because chi-squared rejects on a single row in a rare bin. The smaller of the
    two p-values is doubled.
    """
    from scipy.special import chdtrc

    n, m = float(reference.sum()), float(current.sum())
    if min(n, m) == 0:
        return 1.0
    both = reference + current
    is_rare = both * min(n, m) / (n + m) < _MIN_EXPECTED_ROWS
    rare = [float(counts[is_rare].sum()) for counts in (reference, current)]
    parts = [np.append(counts[~is_rare], n_rare) for counts, n_rare in zip((reference, current), rare, strict=True)]
    if sum(rare) * min(n, m) / (n + m) < _MIN_EXPECTED_ROWS:
        parts = [part[:-1] for part in parts]
    n_bins = int(((parts[0] + parts[1]) > 0).sum())
    common = float(chdtrc(n_bins - 1, chi_squared(*parts))) if n_bins > 1 else 1.0
    if sum(rare) == 0:
        return common
    return min(1.0, 2 * min(common, _binomial_p_value(round(rare[1]), round(sum(rare)), m / (n + m))))


def two_proportions_p_value(hits: float, n: float, other_hits: float, other_n: float) -> float:
    """Return the p-value of two shares being equal; exact where few hits are expected."""
    if min(n, other_n) == 0:
        return 1.0
    return homogeneity_p_value(np.array([hits, n - hits]), np.array([other_hits, other_n - other_hits]))


def kolmogorov_smirnov_power(shift: float, n_reference: float, n_current: float, *, alpha: float) -> float:
    """Return the power of a Kolmogorov-Smirnov test at level `alpha` against a shift of a normal column.

    Parameters
    ----------
    shift : float
        In standard deviations; the distance of two normal distributions is 0.4 of a small shift.
    n_reference, n_current : float
    alpha : float between 0 and 1

    Notes
    -----
    The distance is taken as normal around its expectation, which is a few hundredths low near 0.5.
    """
    from scipy.special import kolmogi, ndtr

    if min(n_reference, n_current) == 0:
        return 0.0
    root = math.sqrt(n_reference * n_current / (n_reference + n_current))
    return float(ndtr(2 * (_NORMAL_PEAK_DENSITY * shift * root - float(kolmogi(alpha)))))


def chi_squared_power(
    distance: float, shares: NDArray[np.float64], n_reference: float, n_current: float, *, alpha: float
) -> float:
    """Return the power of a chi-squared test at level `alpha` against a Jensen-Shannon distance (base 2).

    For small distances the divergence is chi-squared over 8 ln 2, which gives the non-centrality.
    """
    from scipy.special import chdtri, chndtr

    n_bins = int((shares > 0).sum())
    if min(n_reference, n_current) == 0 or n_bins < 2:
        return 0.0
    rows = n_reference * n_current / (n_reference + n_current)
    freedom = n_bins - 1
    noncentral = 8 * math.log(2) * distance**2 * rows
    return float(1.0 - chndtr(float(chdtri(freedom, alpha)), freedom, noncentral))


def normal_power(effect: float, *, alpha: float) -> float:
    """Return the power of a two-sided normal test at level `alpha`; `effect` is in standard errors."""
    from scipy.special import ndtr, ndtri

    return float(ndtr(effect - float(ndtri(1 - alpha / 2))))


def _binomial_p_value(hits: int, n: int, share: float) -> float:
    """Return the two-sided p-value of `hits` of `n` at `share`: twice the smaller tail."""
    from scipy.special import bdtr, bdtrc

    above = float(bdtrc(hits - 1, n, share)) if hits > 0 else 1.0
    return min(1.0, 2 * min(float(bdtr(hits, n, share)), above))


def _to_shares(counts: CountVector) -> Floats:
    return np.asarray(counts / max(counts.sum(), 1), dtype=np.float64)


def holm_levels(p_values: Sequence[float], alpha: float) -> list[float]:
    """Return the level of each test: a test is significant if its p-value is below its level (Holm 1979).

    The k-th smallest p-value of m is compared with alpha / (m - k + 1), until one is not below its level.
    """
    levels, has_failed = [0.0] * len(p_values), False
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda test: p_values[test])):
        level = alpha / (len(p_values) - rank)
        has_failed = has_failed or p_values[i] >= level
        # After the first failure all others fail: each shows the level at which it stopped.
        levels[i] = min(level, p_values[i]) if has_failed else level
    return levels
