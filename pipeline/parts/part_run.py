"""Run the parts of a plan, and commit the result."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from pipeline.parts.part_commit import commit_parts, read_manifest
from pipeline.parts.part_job import PartOutput
from pipeline.parts.part_plan import store_plan
from pipeline.parts.part_record import PartRecord, read_records, write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.engines import PartEngine
    from pipeline.parts.part_job import PartJob
    from pipeline.parts.part_plan import PartPlan
    from pipeline.storage import StoragePath

__all__ = ["run_part", "run_parts"]


def run_part(job: PartJob, plan: PartPlan, folder: StoragePath, number: int) -> PartRecord:
    """Run one part of a plan, write its record, and return it; safe to repeat, also at the same time.

    Raises
    ------
    UsageError
        When the plan has no such part.
    DataError
        When the source changed since it was planned, or a row breaks the declaration.
    """
    if not 0 <= number < len(plan.parts):
        raise UsageError(f"part {number}: the plan has parts 0 to {len(plan.parts) - 1}")
    output = PartOutput(folder, number)
    part = plan.parts[number]
    values = job.run(plan, part, output)
    record = PartRecord(number, plan.digest, part.n_rows, output.files, values)
    write_record(record, folder)
    return record


def run_parts(
    job: PartJob,
    plan: PartPlan,
    folder: StoragePath,
    engine: PartEngine,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Mapping[str, Any]:
    """Run the parts that have no record yet, and commit; return the manifest.

    A run after an interruption continues. The result is the same, however many workers the engine has.

    Parameters
    ----------
    job : PartJob
    plan : PartPlan
    folder : StoragePath
        The output folder; new, or of an earlier run of the same plan.
    engine : PartEngine
    on_progress : callable
        Called with the number of finished rows and of all rows.

    Raises
    ------
    Conflict
        When the folder has another plan, or another process commits the same one.
    """
    store_plan(plan, folder)
    manifest = read_manifest(folder)
    if manifest is not None:
        return manifest
    records = read_records(folder, plan_digest=plan.digest)
    n_done = sum(record.n_rows for record in records.values())
    on_progress(n_done, plan.n_rows)
    waiting = [part.number for part in plan.parts if part.number not in records]
    for _, record in engine.map(partial(run_part, job, plan, folder), waiting):
        records[record.number] = record
        n_done += record.n_rows
        on_progress(n_done, plan.n_rows)
    return commit_parts(job, plan, folder, engine, records=records)
