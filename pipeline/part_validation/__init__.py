"""Validate files of rows in parts: on several processes or machines, with the report of the whole."""

from pipeline.part_validation.validation_job import REPORT_NAME, ValidationJob
from pipeline.part_validation.validation_plan import plan_validation

__all__ = ["REPORT_NAME", "ValidationJob", "plan_validation"]
