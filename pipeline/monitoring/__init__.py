"""Monitor live predictions: drift, performance before and after outcomes arrive, and traffic."""

from pipeline.monitoring.drift import (
    DomainAuc,
    DriftContext,
    DriftFinding,
    DriftReport,
    IntervalDrift,
    detect_drift,
    domain_auc,
    require_consecutive_windows,
)
from pipeline.monitoring.frame_window_view import FrameWindowView
from pipeline.monitoring.log import (
    BinCounts,
    HourlyOutcomes,
    HourlyPredictions,
    PredictionLog,
    count_frame,
    outcomes_by_hour,
    predictions_by_hour,
    reference_counts,
    roll_up,
)
from pipeline.monitoring.model_monitor import ModelMonitor
from pipeline.monitoring.performance import (
    Degradation,
    IntervalOptions,
    Performance,
    ScoreHistogram,
    VersionPerformance,
    calculate_realized_performance,
    detect_degradation,
    estimate_performance,
    estimates_agree,
    read_version_performance,
)
from pipeline.monitoring.window_view import LogWindowView, WindowView

__all__ = [
    "BinCounts",
    "Degradation",
    "DomainAuc",
    "DriftContext",
    "DriftFinding",
    "DriftReport",
    "FrameWindowView",
    "HourlyOutcomes",
    "HourlyPredictions",
    "IntervalDrift",
    "IntervalOptions",
    "LogWindowView",
    "ModelMonitor",
    "Performance",
    "PredictionLog",
    "ScoreHistogram",
    "VersionPerformance",
    "WindowView",
    "calculate_realized_performance",
    "count_frame",
    "detect_degradation",
    "detect_drift",
    "domain_auc",
    "estimate_performance",
    "estimates_agree",
    "outcomes_by_hour",
    "predictions_by_hour",
    "read_version_performance",
    "reference_counts",
    "require_consecutive_windows",
    "roll_up",
]
