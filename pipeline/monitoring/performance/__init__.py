"""Calculate and estimate the performance of a window, and detect degradation."""

from pipeline.monitoring.performance.estimation import (
    ESTIMABLE_METRICS,
    Degradation,
    IntervalOptions,
    Performance,
    calculate_realized_performance,
    detect_degradation,
    estimate_performance,
    estimates_agree,
    sufficient_estimates,
)
from pipeline.monitoring.performance.group_fairness import assess_window
from pipeline.monitoring.performance.performance_history import (
    HistoryOptions,
    MetricLine,
    PerformancePoint,
    metric_lines,
    slice_lines,
)
from pipeline.monitoring.performance.performance_report import (
    LABEL_METRICS,
    PerformanceReport,
    evaluate_frame,
    evaluate_window,
)
from pipeline.monitoring.performance.score_histogram import ScoreHistogram
from pipeline.monitoring.performance.version_performance import VersionPerformance, read_version_performance

__all__ = [
    "ESTIMABLE_METRICS",
    "LABEL_METRICS",
    "Degradation",
    "HistoryOptions",
    "IntervalOptions",
    "MetricLine",
    "Performance",
    "PerformancePoint",
    "PerformanceReport",
    "ScoreHistogram",
    "VersionPerformance",
    "assess_window",
    "calculate_realized_performance",
    "detect_degradation",
    "estimate_performance",
    "estimates_agree",
    "evaluate_frame",
    "evaluate_window",
    "metric_lines",
    "read_version_performance",
    "slice_lines",
    "sufficient_estimates",
]
