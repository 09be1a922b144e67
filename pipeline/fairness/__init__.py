"""Compare groups of rows with intervals, and reduce differences between them by weights or by thresholds.

A group fails only where a whole interval lies beyond its limit. A group with too few rows is listed as
`not_enough_data`, with the smallest difference that its rows could show.
"""

from pipeline.fairness.fairness_history import GroupMoment, group_moments, recorded_groups
from pipeline.fairness.fairness_report import (
    ColumnFairness,
    FairnessReport,
    GroupFinding,
    GroupMetric,
    assess_fairness,
)
from pipeline.fairness.fairness_text import (
    fairness_markdown,
    fairness_rows,
    fairness_summary,
    fairness_text,
    mitigation_rows,
)
from pipeline.fairness.group_comparison import FairnessVerdict, compare_means, compare_rates
from pipeline.fairness.group_tallies import Grouping, GroupTallies
from pipeline.fairness.group_thresholds import GroupThresholds, ThresholdSearch
from pipeline.fairness.protected_columns import check_fairness, group_by_words, protected_columns
from pipeline.fairness.row_reweighing import independence_weights

__all__ = [
    "ColumnFairness",
    "FairnessReport",
    "FairnessVerdict",
    "GroupFinding",
    "GroupMetric",
    "GroupMoment",
    "GroupTallies",
    "GroupThresholds",
    "Grouping",
    "ThresholdSearch",
    "assess_fairness",
    "check_fairness",
    "compare_means",
    "compare_rates",
    "fairness_markdown",
    "fairness_rows",
    "fairness_summary",
    "fairness_text",
    "group_by_words",
    "group_moments",
    "independence_weights",
    "mitigation_rows",
    "protected_columns",
    "recorded_groups",
]
