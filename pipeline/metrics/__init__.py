"""Compute metrics of probabilities and predicted classes, with confidence intervals.

Every metric is implemented once, for weighted rows. Its interval follows from the influence of each row on it;
`comparison_verdict` decides from the interval of a difference what is better, worse or neither.
"""

from pipeline.metrics.labeled_predictions import LabeledPredictions, WeightedPredictions, bin_indices
from pipeline.metrics.metric_estimate import (
    CALIBRATION_DIFFERENCE,
    ComparisonVerdict,
    MetricEstimate,
    comparison_verdict,
    round_significant,
)
from pipeline.metrics.metric_intervals import estimate_metrics, wilson_interval
from pipeline.metrics.metric_table import METRICS, Metric, compute_metrics, get_metric
from pipeline.metrics.paired_comparison import compare_paired
from pipeline.metrics.row_metric import define_row_metric

__all__ = [
    "CALIBRATION_DIFFERENCE",
    "METRICS",
    "ComparisonVerdict",
    "LabeledPredictions",
    "Metric",
    "MetricEstimate",
    "WeightedPredictions",
    "bin_indices",
    "compare_paired",
    "comparison_verdict",
    "compute_metrics",
    "define_row_metric",
    "estimate_metrics",
    "get_metric",
    "round_significant",
    "wilson_interval",
]
