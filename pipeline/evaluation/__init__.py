"""Judge a package on rows that it never saw: figures with intervals, curves, slices, importance, model card."""

from pipeline.evaluation.card import model_card
from pipeline.evaluation.importance import Importance
from pipeline.evaluation.judging import evaluate
from pipeline.evaluation.report import Baseline, EvaluationReport, Parity
from pipeline.evaluation.slices import Slice

__all__ = ["Baseline", "EvaluationReport", "Importance", "Parity", "Slice", "evaluate", "model_card"]
