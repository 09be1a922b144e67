"""Follow the importance of features over time, on labeled rows of the prediction log."""

from pipeline.monitoring.importance.importance_change import ImportanceChange, compare_importance, importance_shares
from pipeline.monitoring.importance.importance_history import ImportanceHistory, ImportanceWindow, importance_history
from pipeline.monitoring.importance.importance_recording import labeled_sample, record_importance

__all__ = [
    "ImportanceChange",
    "ImportanceHistory",
    "ImportanceWindow",
    "compare_importance",
    "importance_history",
    "importance_shares",
    "labeled_sample",
    "record_importance",
]
