"""Compare one group with all other rows by an interval, and decide from its position what is known.

A whole interval beyond the limit is a failure, a whole interval within it a pass. In between, an interval that
contains "no difference" shows that the rows are too few, and any other one asks for attention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pipeline.metrics import wilson_interval

if TYPE_CHECKING:
    from pipeline.config.groups.fairness_config import FairnessLimitConfig

__all__ = ["FairnessVerdict", "IntervalComparison", "MeanSample", "RateSample", "compare_means", "compare_rates"]

_MIN_EXPECTED_EVENTS = 5  # of the smaller side, were both rates equal

FairnessVerdict = Literal["pass", "watch", "fail", "not_enough_data"]


@dataclass(frozen=True, slots=True)
class RateSample:
    """`n_events` of `n_rows` rows; both may be fractions, as totals of weighted rows are."""

    n_events: float
    n_rows: float

    @property
    def rate(self) -> float | None:
        """The share of events; None without rows."""
        return self.n_events / self.n_rows if self.n_rows > 0 else None


@dataclass(frozen=True, slots=True)
class MeanSample:
    """Sum and sum of squares of one number for each of `n_rows` rows."""

    total: float
    squares: float
    n_rows: float

    @property
    def mean(self) -> float | None:
        """The mean; None without rows."""
        return self.total / self.n_rows if self.n_rows > 0 else None

    @property
    def variance_of_mean(self) -> float:
        """Squared standard error of the mean."""
        if self.n_rows <= 1:
            return math.inf
        deviations = max(self.squares - self.total**2 / self.n_rows, 0.0)
        return deviations / (self.n_rows - 1) / self.n_rows


@dataclass(frozen=True, slots=True)
class IntervalComparison:
    """How a group differs from the other rows.

    `effect` is a ratio (1 is no difference) or a gap (0 is none), with the bounds `low` and `high`.
    `smallest_visible` is the smallest effect whose whole interval these rows would place beyond the limit.
    """

    effect: float
    low: float
    high: float
    verdict: FairnessVerdict
    smallest_visible: float


def compare_rates(
    group: RateSample, others: RateSample, *, limit: FairnessLimitConfig, quantile: float
) -> IntervalComparison:
    """Compare the rate of a group with that of all other rows.

    Ratios are compared by their logarithm with half a row added (Walter 1975), gaps by Newcombe's interval (1998).

    Parameters
    ----------
    group, others : RateSample
        With rows, both.
    limit : FairnessLimitConfig
        A smallest ratio or a largest gap.
    quantile : float
        Normal quantile of one end of the interval.
    """
    if limit.min_ratio is not None:
        return _compare_ratio(group, others, min_ratio=limit.min_ratio, quantile=quantile)
    rates = [sample.n_events / sample.n_rows for sample in (group, others)]
    (low_1, high_1), (low_2, high_2) = (
        wilson_interval(rate, sample.n_rows, quantile) for rate, sample in zip(rates, (group, others), strict=True)
    )
    gap = rates[0] - rates[1]
    low = gap - math.hypot(rates[0] - low_1, high_2 - rates[1])
    high = gap + math.hypot(high_1 - rates[0], rates[1] - low_2)
    pooled = (group.n_events + others.n_events) / (group.n_rows + others.n_rows)
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / group.n_rows + 1.0 / others.n_rows))
    return _gap_result(gap, low, high, max_gap=_max_gap(limit), margin=quantile * error)


def compare_means(
    group: MeanSample, others: MeanSample, *, limit: FairnessLimitConfig, quantile: float
) -> IntervalComparison:
    """Compare the mean of a group with that of all other rows by a normal interval; variances may differ.

    Parameters are those of `compare_rates`; a limit on the ratio applies to the ratio of the means by its
    logarithm (delta method).
    """
    gap = group.total / group.n_rows - others.total / others.n_rows
    error = math.sqrt(group.variance_of_mean + others.variance_of_mean)
    if limit.min_ratio is None:
        margin = quantile * error
        return _gap_result(gap, gap - margin, gap + margin, max_gap=_max_gap(limit), margin=margin)
    means = [max(sample.total / sample.n_rows, 1e-12) for sample in (group, others)]
    error = math.sqrt(group.variance_of_mean / means[0] ** 2 + others.variance_of_mean / means[1] ** 2)
    return _ratio_result(math.log(means[0] / means[1]), quantile * error, quantile * error, min_ratio=limit.min_ratio)


def _max_gap(limit: FairnessLimitConfig) -> float:
    if limit.max_gap is None:
        raise AssertionError("a limit has a ratio or a gap")
    return limit.max_gap


def _compare_ratio(group: RateSample, others: RateSample, *, min_ratio: float, quantile: float) -> IntervalComparison:
    samples = (group, others)
    logarithms = [math.log((sample.n_events + 0.5) / (sample.n_rows + 0.5)) for sample in samples]
    variance = sum(1.0 / (sample.n_events + 0.5) - 1.0 / (sample.n_rows + 0.5) for sample in samples)
    pooled = (group.n_events + others.n_events + 0.5) / (group.n_rows + others.n_rows + 0.5)
    equal = (1.0 - pooled) / pooled * (1.0 / group.n_rows + 1.0 / others.n_rows)
    margin = quantile * math.sqrt(max(variance, 0.0))
    result = _ratio_result(
        logarithms[0] - logarithms[1], margin, quantile * math.sqrt(max(equal, 0.0)), min_ratio=min_ratio
    )
    # With hardly any events, the half row decides: it is another share of a small group than of a large one.
    is_rare = pooled * min(group.n_rows, others.n_rows) < _MIN_EXPECTED_EVENTS
    return replace(result, verdict="not_enough_data") if is_rare else result


def _ratio_result(logarithm: float, margin: float, equal_margin: float, *, min_ratio: float) -> IntervalComparison:
    limit = -math.log(min_ratio)
    low, high = logarithm - margin, logarithm + margin
    return IntervalComparison(
        effect=math.exp(logarithm),
        low=math.exp(max(low, -700.0)),
        high=math.exp(min(high, 700.0)),
        verdict=_verdict(low, high, limit),
        smallest_visible=min_ratio * math.exp(max(-equal_margin, -700.0)),
    )


def _gap_result(gap: float, low: float, high: float, *, max_gap: float, margin: float) -> IntervalComparison:
    return IntervalComparison(gap, low, high, _verdict(low, high, max_gap), smallest_visible=max_gap + margin)


def _verdict(low: float, high: float, limit: float) -> FairnessVerdict:
    """Return what an interval around 0 (no difference) shows, where `limit` is allowed on either side."""
    if low > limit or high < -limit:
        return "fail"
    if -limit <= low and high <= limit:
        return "pass"
    return "not_enough_data" if low <= 0.0 <= high else "watch"
