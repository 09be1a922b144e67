"""Watch live rows: how far they moved from training, and how well the model does, before and after outcomes arrive."""

from pipeline.monitoring.drift.detection import detect_drift, require_consecutive_windows
from pipeline.monitoring.drift.domain_classifier import DomainAuc, domain_auc
from pipeline.monitoring.drift.drift_report import DriftFinding, DriftReport
from pipeline.monitoring.drift.interval_drift import IntervalDrift, drift_between_windows, drift_by_time
from pipeline.monitoring.log.bin_counts import BinCounts, count_frame, reference_counts
from pipeline.monitoring.log.hourly_traffic import (
    HourlyOutcomes,
    HourlyPredictions,
    outcomes_by_hour,
    predictions_by_hour,
)
from pipeline.monitoring.log.rollup_updates import roll_up
from pipeline.monitoring.model_monitor import ModelMonitor
from pipeline.monitoring.performance.estimation import (
    Degradation,
    Performance,
    calculate_realized_performance,
    detect_degradation,
    estimate_performance,
    estimates_agree,
)
from pipeline.monitoring.performance.score_histogram import ScoreHistogram

__all__ = [
    "BinCounts",
    "Degradation",
    "DomainAuc",
    "DriftFinding",
    "DriftReport",
    "HourlyOutcomes",
    "HourlyPredictions",
    "IntervalDrift",
    "ModelMonitor",
    "Performance",
    "ScoreHistogram",
    "calculate_realized_performance",
    "count_frame",
    "detect_degradation",
    "detect_drift",
    "domain_auc",
    "drift_between_windows",
    "drift_by_time",
    "estimate_performance",
    "estimates_agree",
    "outcomes_by_hour",
    "predictions_by_hour",
    "reference_counts",
    "require_consecutive_windows",
    "roll_up",
]
