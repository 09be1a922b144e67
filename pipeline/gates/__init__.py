"""Decide whether a candidate may replace the Production version: each gate has a result, a value and a reason."""

from pipeline.gates.compatibility import SchemaChange, compare_schemas
from pipeline.gates.gate_evaluation import GateInputs, check_promotion, evaluate_gates
from pipeline.gates.gate_report import ComparedRows, Gate, GateReport
from pipeline.gates.metric_limits import limit_result
from pipeline.gates.package_comparison import compare_packages, score_with_both

__all__ = [
    "ComparedRows",
    "Gate",
    "GateInputs",
    "GateReport",
    "SchemaChange",
    "check_promotion",
    "compare_packages",
    "compare_schemas",
    "evaluate_gates",
    "limit_result",
    "score_with_both",
]
