"""Follow the importance of features over time, on labeled rows of the prediction log."""

from pipeline.monitoring.importance.importance_change import ImportanceChange, compare_importance, importance_shares
from pipeline.monitoring.importance.importance_history import importance_history

__all__ = [
    "ImportanceChange",
    "compare_importance",
    "importance_history",
    "importance_shares",
]
