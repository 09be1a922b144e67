"""Estimate metrics with confidence intervals.

Standard errors come from influence functions (the infinitesimal jackknife), so no row is drawn again. An interval is
the score interval of a share with as many rows as give that standard error (Wilson 1927), or, for a metric without an
upper bound, of a Poisson mean. `benchmarks/coverage.py` measures how often each holds the true value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pipeline.metrics.calibration_error import estimate_calibration_error
from pipeline.metrics.influence import label_influence
from pipeline.metrics.labeled_predictions import WeightedPredictions
from pipeline.metrics.metric_estimate import MetricEstimate
from pipeline.metrics.metric_table import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.metrics.labeled_predictions import LabeledPredictions
    from pipeline.metrics.metric_table import Metric, ScoreSpread

    Floats = NDArray[np.float64]

__all__ = [
    "MIN_LABEL_ROWS",
    "MIN_SCORE_ROWS",
    "estimate_metrics",
    "quantile_of_variance",
    "smoothed_label_influence",
    "wilson_interval",
]

MIN_SCORE_ROWS = 20  # of each class, for an interval of a metric of probabilities
MIN_LABEL_ROWS = 10  # of each class, for an interval of a metric of predicted classes
_ROUNDING = 1e-12  # rows that are equal differ by this share of their value, from rounding in sums


def estimate_metrics(
    scored: LabeledPredictions, names: Sequence[str], *, confidence_level: float, weights: Floats | None = None
) -> dict[str, MetricEstimate]:
    """Return metrics with intervals.

    Parameters
    ----------
    scored : LabeledPredictions
    names : sequence of str
        Members of `METRICS`.
    confidence_level : float between 0 and 1
        Level of the intervals, such as 0.95.
    weights : float, shape (n_rows,), optional
        Number of independent rows that each row represents; one each when None.

    Returns
    -------
    dict of MetricEstimate
        Without an interval, and with the reason, where rows are too few or do not vary.
    """
    rows = WeightedPredictions(scored, None if weights is None else weights[None, :])
    return {name: _estimate_metric(METRICS[name], rows, confidence_level) for name in names}


def _estimate_metric(metric: Metric, rows: WeightedPredictions, confidence_level: float) -> MetricEstimate:
    value = float(metric.function(rows)[0])
    if math.isnan(value):
        return MetricEstimate(None, reason="not defined on these rows")
    if metric.needs_each_class and (reason := _missing_rows(metric, rows)):
        return MetricEstimate(value, reason=reason)
    if metric.needs == "labels":
        return _estimate_from_labels(metric, rows, value, confidence_level)
    if metric.spread is None:
        return estimate_calibration_error(rows, confidence_level=confidence_level)
    return _estimate_from_scores(metric, metric.spread, rows, value=value, confidence_level=confidence_level)


def _missing_rows(metric: Metric, rows: WeightedPredictions) -> str | None:
    """Return why there are too few rows of a class for an interval; None when there are enough."""
    n_needed = MIN_LABEL_ROWS if metric.needs == "labels" else MIN_SCORE_ROWS
    n_rarest = float(rows.confusion[0].sum(axis=1).min())
    is_calibration_error = metric.needs == "scores" and metric.spread is None
    if n_rarest >= n_needed or (is_calibration_error and _rarer_outcome(rows) >= n_needed):
        return None
    return f"the rarest class has {n_rarest:.0f} rows; an interval needs {n_needed} of each class"


def _rarer_outcome(rows: WeightedPredictions) -> float:
    """Return how many rows the rarer outcome has: the predicted class was right, or it was wrong.

    With more than two classes the calibration error compares confidence with this outcome, whatever the class.
    """
    _, is_right = rows.scored.confidence_and_correctness
    n_right = float(is_right.sum())
    return min(n_right, len(is_right) - n_right)


def _estimate_from_labels(
    metric: Metric, rows: WeightedPredictions, value: float, confidence_level: float
) -> MetricEstimate:
    total = float(rows.total_weight[0])
    smoothed_value, confusion, influence = smoothed_label_influence(metric, rows)
    variance = float((confusion * influence**2).sum()) / confusion.sum() / total
    low, span = metric.bounds[0], metric.bounds[1] - metric.bounds[0]
    share, variance = (smoothed_value - low) / span, variance / span**2
    if variance <= 0.0:
        return MetricEstimate(value, reason="the predicted classes do not vary")
    n_effective = share * (1.0 - share) / variance
    ends = wilson_interval((value - low) / span, n_effective, _normal_quantile(confidence_level))
    return MetricEstimate(value, low + span * ends[0], low + span * ends[1])


def smoothed_label_influence(metric: Metric, rows: WeightedPredictions) -> tuple[float, Floats, Floats]:
    """Return metric, confusion matrix and influence of each cell, with `1 / n_classes` rows added to each cell.

    Without these rows, a mistake that was not seen would be taken for one that cannot happen.
    """
    confusion = rows.confusion[0] + 1.0 / rows.scored.n_classes
    value, influence = label_influence(metric.function, confusion, positive=rows.scored.positive)
    return float(value), confusion, influence


def _estimate_from_scores(
    metric: Metric, spread: ScoreSpread, rows: WeightedPredictions, *, value: float, confidence_level: float
) -> MetricEstimate:
    weights, total = rows.weights[0], float(rows.total_weight[0])
    influence = rows.scored.of_true_class(spread.influence(rows.scored, weights))
    variance = float(weights @ influence**2) / (total * (total - 1.0)) + _unseen_variance(spread, rows, value)
    if variance <= (_ROUNDING * max(1.0, abs(value))) ** 2:
        return MetricEstimate(value, reason="the rows do not vary")
    quantile = quantile_of_variance(influence, weights, confidence_level, freedom=spread.freedom)
    if math.isinf(metric.bounds[1]):
        return MetricEstimate(value, *_poisson_interval(value, variance, quantile))
    span = metric.bounds[1]
    share = min(value / span, 1.0 - 1.0 / total)  # a share of 1 has no rows that give its standard error
    low, high = wilson_interval(value / span, share * (1.0 - share) * span**2 / variance, quantile)
    return MetricEstimate(value, low * span, high * span)


def _unseen_variance(spread: ScoreSpread, rows: WeightedPredictions, value: float) -> float:
    """Return the variance that rows of each class would add which are ranked worst."""
    if not spread.n_unseen:
        return 0.0
    n_inside = np.array([rows.confusion[0].sum(axis=1)[code] for code in rows.scored.ranked_classes])
    n_outside = rows.total_weight[0] - n_inside
    by_class = value**2 * (1.0 / n_inside**2 + 1.0 / n_outside**2)
    return spread.n_unseen * float(by_class.sum()) / len(by_class) ** 2


def quantile_of_variance(
    influence: Floats, weights: Floats, confidence_level: float, *, freedom: float | None
) -> float:
    """Return the quantile of Student's t for a variance estimated from rows of these influences.

    The degrees of freedom are those of Satterthwaite (1946), times `freedom`; None gives the normal quantile.
    """
    if freedom is None:
        return _normal_quantile(confidence_level)
    from scipy.special import stdtrit

    second, fourth = float(weights @ influence**2), float(weights @ influence**4)
    kurtosis = weights.sum() * fourth / second**2
    degrees = max(freedom * 2.0 * float(weights.sum()) / max(kurtosis - 1.0, 1e-9), 1.0)
    return float(stdtrit(degrees, 0.5 + confidence_level / 2.0))


def _normal_quantile(confidence_level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence_level / 2.0))


def wilson_interval(share: float, n: float, quantile: float) -> tuple[float, float]:
    """Return the score interval of a share of `n` rows (Wilson 1927), within 0 and 1."""
    share, n = float(share), float(n)
    center = share + quantile**2 / (2.0 * n)
    half_width = quantile * math.sqrt(share * (1.0 - share) / n + quantile**2 / (4.0 * n * n))
    scale = 1.0 + quantile**2 / n
    low, high = (center - half_width) / scale, (center + half_width) / scale
    return min(max(low, 0.0), share), max(min(high, 1.0), share)  # rounding may move an end past the share


def _poisson_interval(value: float, variance: float, quantile: float) -> tuple[float, float]:
    """Return the score interval of a mean whose variance grows with it."""
    half_step = quantile**2 * variance / value / 2.0
    half_width = math.sqrt(2.0 * half_step * value + half_step**2)
    return max(value + half_step - half_width, 0.0), value + half_step + half_width
