"""Compare two registered versions: settings, metrics with intervals, gates, slices, curves and groups."""

from pipeline.version_comparison.evaluation_comparison import (
    EvaluationComparison,
    VersionDetails,
    compare_evaluations,
    evaluation_summary,
)
from pipeline.version_comparison.metric_comparison import MetricComparison, unpaired_difference
from pipeline.version_comparison.version_diff import (
    GateResults,
    VersionDiff,
    VersionDifference,
    diff_versions,
    version_rows,
)

__all__ = [
    "EvaluationComparison",
    "GateResults",
    "MetricComparison",
    "VersionDetails",
    "VersionDiff",
    "VersionDifference",
    "compare_evaluations",
    "diff_versions",
    "evaluation_summary",
    "unpaired_difference",
    "version_rows",
]
