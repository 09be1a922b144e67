"""Divide a job over many rows into parts that any scheduler can run: plan, run, commit.

A part writes files of names that only its attempt uses, and a record of them. The manifest, written last and once,
lists what belongs to the result. So a part may run twice, die, or run on another machine, and the result is whole or
absent.
"""

from pipeline.parts.part_cleanup import clean_parts
from pipeline.parts.part_commit import commit_parts, read_manifest
from pipeline.parts.part_job import PartJob, PartOutput
from pipeline.parts.part_plan import Part, PartPlan, SourceFile, find_plan, plan_parts, read_plan, store_plan
from pipeline.parts.part_progress import PartProgress
from pipeline.parts.part_record import PartFile, PartRecord, find_record, read_records
from pipeline.parts.part_run import run_part, run_parts
from pipeline.parts.part_sources import (
    find_source_files,
    require_outside,
    require_unchanged,
    unchanged_source,
)

__all__ = [
    "Part",
    "PartFile",
    "PartJob",
    "PartOutput",
    "PartPlan",
    "PartProgress",
    "PartRecord",
    "SourceFile",
    "clean_parts",
    "commit_parts",
    "find_plan",
    "find_record",
    "find_source_files",
    "plan_parts",
    "read_manifest",
    "read_plan",
    "read_records",
    "require_outside",
    "require_unchanged",
    "run_part",
    "run_parts",
    "store_plan",
    "unchanged_source",
]
