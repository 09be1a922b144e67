"""Measure how well probabilities and predicted classes fit what was true, and how certain that is.

Every metric is written once, for rows with weights. A point value gives each row the weight 1; a
bootstrap resample gives it the number of times that it was drawn. So a thousand resamples of all
metrics are a few matrix products over one sorting of the rows.
"""

from pipeline.metrics.bootstrap import Estimate, compare, estimate, expected_if_calibrated, significant
from pipeline.metrics.rows import Scored, Weighted, bin_of
from pipeline.metrics.table import METRICS, Metric, measure, metric_named

__all__ = [
    "METRICS",
    "Estimate",
    "Metric",
    "Scored",
    "Weighted",
    "bin_of",
    "compare",
    "estimate",
    "expected_if_calibrated",
    "measure",
    "metric_named",
    "significant",
]
