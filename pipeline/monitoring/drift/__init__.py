"""Detect, describe and report drift of features and predictions."""

from pipeline.monitoring.drift.detection import (
    DriftContext,
    detect_drift,
    override_numeric_threshold,
    require_consecutive_windows,
)
from pipeline.monitoring.drift.domain_classifier import DomainAuc, domain_auc
from pipeline.monitoring.drift.drift_history import DriftLine, DriftPoint, drift_lines
from pipeline.monitoring.drift.drift_report import DriftFinding, DriftReport
from pipeline.monitoring.drift.frame_comparison import (
    detect_drift_against_frame,
    joint_drift,
    present_columns,
    with_reference_problems,
)

__all__ = [
    "DomainAuc",
    "DriftContext",
    "DriftFinding",
    "DriftLine",
    "DriftPoint",
    "DriftReport",
    "detect_drift",
    "detect_drift_against_frame",
    "domain_auc",
    "drift_lines",
    "joint_drift",
    "override_numeric_threshold",
    "present_columns",
    "require_consecutive_windows",
    "with_reference_problems",
]
