"""Watch live rows: how far they moved from training, and how well the model does, before and after outcomes arrive."""

from pipeline.monitoring.cells import ScoreHistogram
from pipeline.monitoring.counting import BinCounts, count_frame, reference_counts
from pipeline.monitoring.findings import DriftReport, DriftFinding
from pipeline.monitoring.judging import detect_drift, require_consecutive_windows
from pipeline.monitoring.monitor import ModelMonitor
from pipeline.monitoring.multivariate import DomainAuc, domain_auc
from pipeline.monitoring.performance import (
    Degradation,
    Performance,
    estimate_performance,
    detect_degradation,
    estimates_agree,
    calculate_realized_performance,
)
from pipeline.monitoring.rollups import roll_up
from pipeline.monitoring.slots import IntervalDrift, drift_between_windows, drift_by_time
from pipeline.monitoring.traffic import HourlyPredictions, HourlyOutcomes, predictions_by_hour, outcomes_by_hour

__all__ = [
    "ScoreHistogram",
    "BinCounts",
    "Degradation",
    "DomainAuc",
    "DriftReport",
    "DriftFinding",
    "HourlyPredictions",
    "HourlyOutcomes",
    "ModelMonitor",
    "Performance",
    "IntervalDrift",
    "predictions_by_hour",
    "drift_between_windows",
    "count_frame",
    "domain_auc",
    "drift_by_time",
    "estimate_performance",
    "detect_degradation",
    "detect_drift",
    "require_consecutive_windows",
    "estimates_agree",
    "calculate_realized_performance",
    "outcomes_by_hour",
    "reference_counts",
    "roll_up",
]
