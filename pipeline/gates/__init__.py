"""Decide whether a candidate may replace the Production version: each gate has a result, a value and a reason."""

from pipeline.gates.compatibility import SchemaChange, compare_schemas
from pipeline.gates.gate_evaluation import GateInputs, evaluate_gates
from pipeline.gates.gate_report import Gate, GateReport

__all__ = ["Gate", "GateInputs", "GateReport", "SchemaChange", "compare_schemas", "evaluate_gates"]
