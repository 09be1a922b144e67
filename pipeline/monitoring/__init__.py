"""Watch live rows: how far they moved from training, and how well the model does, before and after outcomes arrive."""

from pipeline.monitoring.cells import Cells
from pipeline.monitoring.counting import Counts, count_window, reference_counts
from pipeline.monitoring.findings import DriftReport, Finding
from pipeline.monitoring.judging import find_drift, hold
from pipeline.monitoring.monitor import ModelMonitor
from pipeline.monitoring.multivariate import DomainAuc, domain_auc
from pipeline.monitoring.performance import (
    Degradation,
    Performance,
    expected_performance,
    find_degradation,
    is_trusted,
    measured_performance,
)
from pipeline.monitoring.rollups import roll_up
from pipeline.monitoring.slots import SlotFinding, compare_windows, drift_by_time
from pipeline.monitoring.traffic import HourOfAnswers, HourOfOutcomes, answers_by_hour, outcomes_by_hour

__all__ = [
    "Cells",
    "Counts",
    "Degradation",
    "DomainAuc",
    "DriftReport",
    "Finding",
    "HourOfAnswers",
    "HourOfOutcomes",
    "ModelMonitor",
    "Performance",
    "SlotFinding",
    "answers_by_hour",
    "compare_windows",
    "count_window",
    "domain_auc",
    "drift_by_time",
    "expected_performance",
    "find_degradation",
    "find_drift",
    "hold",
    "is_trusted",
    "measured_performance",
    "outcomes_by_hour",
    "reference_counts",
    "roll_up",
]
