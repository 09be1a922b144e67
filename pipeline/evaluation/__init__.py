"""Evaluate a package on test rows: metrics with intervals, curves, slices, importance, model card."""

from pipeline.evaluation.curves import curve_tables
from pipeline.evaluation.evaluation_report import Baseline, EvaluationReport, Parity
from pipeline.evaluation.importance import Importance
from pipeline.evaluation.model_card import model_card
from pipeline.evaluation.package_evaluation import assess_groups, check_evaluation, evaluate_package, evaluated_metrics
from pipeline.evaluation.paired_slices import SliceChange, compare_slices
from pipeline.evaluation.slices import Slice, slice_rows

__all__ = [
    "Baseline",
    "EvaluationReport",
    "Importance",
    "Parity",
    "Slice",
    "SliceChange",
    "assess_groups",
    "check_evaluation",
    "compare_slices",
    "curve_tables",
    "evaluate_package",
    "evaluated_metrics",
    "model_card",
    "slice_rows",
]
