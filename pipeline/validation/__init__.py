"""Say whether rows are good enough to learn from, and what is wrong with those that are not."""

from pipeline.validation.page import render_html
from pipeline.validation.parts import SplitReport, compare_split
from pipeline.validation.report import ValidationReport
from pipeline.validation.validating import quarantine, validate
from pipeline.validation.validator import DataValidator

__all__ = ["DataValidator", "SplitReport", "ValidationReport", "compare_split", "render_html", "quarantine", "validate"]
