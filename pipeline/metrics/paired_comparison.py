"""Compare two models on the same rows: differences of metrics with confidence intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DataError
from pipeline.metrics.labeled_predictions import WeightedPredictions
from pipeline.metrics.metric_estimate import TOO_FEW_DIFFERENT_ROWS, MetricEstimate
from pipeline.metrics.metric_intervals import quantile_of_variance, smoothed_label_influence
from pipeline.metrics.metric_table import METRICS, compute_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.metrics.labeled_predictions import LabeledPredictions
    from pipeline.metrics.metric_table import Metric

    Floats = NDArray[np.float64]

__all__ = ["MIN_DIFFERENT_ROWS", "compare_paired"]

MIN_DIFFERENT_ROWS = 4.0  # rows of equal weight with the same kurtosis of influence


def compare_paired(
    scored: LabeledPredictions, other: LabeledPredictions, names: Sequence[str], *, confidence_level: float
) -> dict[str, MetricEstimate]:
    """Return the metrics of `scored` minus those of `other`, with intervals of the paired difference.

    Both hold the same rows, scored by two models, so the difficulty of rows cancels. The variance of the difference
    is the greater of that of the rows and that which both models' probabilities imply: a few rows may not show how
    unlike two models are.

    Parameters
    ----------
    scored, other : LabeledPredictions
    names : sequence of str
        Members of `METRICS`.
    confidence_level : float between 0 and 1

    Returns
    -------
    dict of MetricEstimate
        Without an interval, and with the reason, where the models differ in fewer than 4 rows.

    Raises
    ------
    DataError
        When the true classes differ.
    """
    if not np.array_equal(scored.y, other.y):
        raise DataError("metrics: two models must be compared on the same rows; these have different true classes")
    value, against = compute_metrics(scored, names), compute_metrics(other, names)
    return {
        name: _compare(METRICS[name], scored, other, value=value[name] - against[name], level=confidence_level)
        for name in names
    }


def _compare(
    metric: Metric, scored: LabeledPredictions, other: LabeledPredictions, *, value: float, level: float
) -> MetricEstimate:
    if math.isnan(value):
        return MetricEstimate(None, reason="not defined on these rows")
    if np.array_equal(scored.predicted, other.predicted) and np.array_equal(scored.probabilities, other.probabilities):
        return MetricEstimate(0.0, 0.0, 0.0)
    if metric.needs == "scores" and metric.spread is None:
        return MetricEstimate(value, reason="the difference of two calibration errors has no known distribution")
    by_class = _influence(metric, scored) - _influence(metric, other)
    influence, weights = scored.of_true_class(by_class), np.ones(scored.n_rows)
    second, fourth = float((influence**2).sum()), float((influence**4).sum())
    n_different = second**2 / fourth if fourth > 0.0 else 0.0
    if n_different < MIN_DIFFERENT_ROWS:
        return MetricEstimate(value, reason=TOO_FEW_DIFFERENT_ROWS)
    expected = float((_mean_probabilities(scored, other) * by_class**2).sum())
    half_width = (
        quantile_of_variance(influence, weights, level, freedom=1.0) * math.sqrt(max(second, expected)) / scored.n_rows
    )
    return MetricEstimate(value, value - half_width, value + half_width)


def _influence(metric: Metric, scored: LabeledPredictions) -> Floats:
    """Return the influence of each row if each class were true, shape (n_rows, n_classes)."""
    if metric.spread is not None:
        return metric.spread.influence(scored, np.ones(scored.n_rows))
    _, _, influence = smoothed_label_influence(metric, WeightedPredictions(scored))
    return np.asarray(influence[:, scored.predicted].T)


def _mean_probabilities(scored: LabeledPredictions, other: LabeledPredictions) -> Floats:
    both = scored.probabilities + other.probabilities
    return np.asarray(both / both.sum(axis=1, keepdims=True))
