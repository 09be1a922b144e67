"""Validate rows against the declaration and report what makes them unfit for training."""

from pipeline.validation.dataset_validation import TrainingRows, select_training_rows, validate_rows
from pipeline.validation.remedies import refusal_lines
from pipeline.validation.split_report import SplitReport, compare_split
from pipeline.validation.validation_report import ValidationReport
from pipeline.validation.validator import DataValidator

__all__ = [
    "DataValidator",
    "SplitReport",
    "TrainingRows",
    "ValidationReport",
    "compare_split",
    "refusal_lines",
    "select_training_rows",
    "validate_rows",
]
