"""Compare two models on the same rows: differences of metrics with confidence intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DataError
from pipeline.metrics.labeled_predictions import WeightedPredictions
from pipeline.metrics.metric_estimate import CALIBRATION_DIFFERENCE, TOO_FEW_DIFFERENT_ROWS, MetricEstimate
from pipeline.metrics.metric_intervals import quantile_of_variance, smoothed_label_influence
from pipeline.metrics.metric_table import METRICS, compute_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.metrics.labeled_predictions import LabeledPredictions
    from pipeline.metrics.metric_table import Metric

    Floats = NDArray[np.float64]

__all__ = ["compare_paired"]

_MIN_DIFFERENT_ROWS = {"scores": 6.0, "labels": 10.0}  # rows of equal weight that distinguish two models


def compare_paired(
    scored: LabeledPredictions, other: LabeledPredictions, names: Sequence[str], *, confidence_level: float
) -> dict[str, MetricEstimate]:
    """Return the metrics of `scored` minus those of `other`, with intervals of the paired difference.

    Both hold the same rows, scored by two models, so the difficulty of rows cancels. Whether an interval is shown
    depends on the probabilities of both models, never on the classes that were seen: samples chosen by their classes
    would be those whose interval is wrong.

    Parameters
    ----------
    scored, other : LabeledPredictions
    names : sequence of str
        Members of `METRICS`.
    confidence_level : float between 0 and 1

    Returns
    -------
    dict of MetricEstimate
        Without an interval, and with the reason, where too few rows distinguish the models.

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
    if not metric.has_paired_interval:
        return MetricEstimate(value, reason=CALIBRATION_DIFFERENCE)
    by_class = _influence(metric, scored) - _influence(metric, other)
    influence = scored.of_true_class(by_class)
    second = float((influence**2).sum())
    if not _distinguishes(metric, by_class, _mean_probabilities(scored, other)) or second == 0.0:
        return MetricEstimate(value, reason=TOO_FEW_DIFFERENT_ROWS)
    quantile = quantile_of_variance(influence, np.ones(scored.n_rows), level, freedom=1.0)
    half_width = quantile * math.sqrt(second) / scored.n_rows
    return MetricEstimate(value, value - half_width, value + half_width)


def _distinguishes(metric: Metric, by_class: Floats, probabilities: Floats) -> bool:
    """Return whether an interval holds: by the effective number of rows in which the models are expected to differ.

    The number is that of Kish (1965): few rows of great influence count as few, however many others there are.
    """
    if metric.spread is not None and len(by_class) < metric.spread.min_paired_rows:
        return False
    second, fourth = (float((probabilities * by_class**power).sum()) for power in (2, 4))
    return fourth > 0.0 and second**2 / fourth >= _MIN_DIFFERENT_ROWS[metric.needs]


def _influence(metric: Metric, scored: LabeledPredictions) -> Floats:
    """Return the influence of each row if each class were true, shape (n_rows, n_classes)."""
    if metric.spread is not None:
        return metric.spread.influence(scored, np.ones(scored.n_rows))
    _, _, influence = smoothed_label_influence(metric, WeightedPredictions(scored))
    return np.asarray(influence[:, scored.predicted].T)


def _mean_probabilities(scored: LabeledPredictions, other: LabeledPredictions) -> Floats:
    both = scored.probabilities + other.probabilities
    return np.asarray(both / both.sum(axis=1, keepdims=True))
