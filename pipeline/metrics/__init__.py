"""Compute metrics of probabilities and predicted classes, with confidence intervals.

Every metric is implemented once, for weighted rows. A point value gives each row the weight 1; a bootstrap
resample gives it the number of times that it was drawn. So a thousand resamples of all metrics are a few
matrix products over one sorting of the rows.
"""

from pipeline.metrics.bootstrap import (
    MetricEstimate,
    compare_paired,
    estimate_metrics,
    expected_metric_if_calibrated,
    round_significant,
)
from pipeline.metrics.labeled_predictions import LabeledPredictions, WeightedPredictions, bin_indices
from pipeline.metrics.metric_table import METRICS, Metric, compute_metrics, get_metric

__all__ = [
    "METRICS",
    "LabeledPredictions",
    "Metric",
    "MetricEstimate",
    "WeightedPredictions",
    "bin_indices",
    "compare_paired",
    "compute_metrics",
    "estimate_metrics",
    "expected_metric_if_calibrated",
    "get_metric",
    "round_significant",
]
