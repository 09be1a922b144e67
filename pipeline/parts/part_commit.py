"""Write the manifest of a job: the one file that makes its result exist."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import Conflict, IntegrityError, UsageError
from pipeline.files import canonical_json
from pipeline.parts.part_record import read_records
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.engines import PartEngine
    from pipeline.parts.part_job import PartJob
    from pipeline.parts.part_plan import PartPlan
    from pipeline.parts.part_record import PartRecord
    from pipeline.storage import StoragePath

__all__ = ["MANIFEST_NAME", "commit_parts", "read_manifest"]

MANIFEST_NAME = "_manifest.json"
_FORMAT = 1
_MAX_LISTED = 10


def commit_parts(
    job: PartJob,
    plan: PartPlan,
    folder: StoragePath,
    engine: PartEngine,
    *,
    records: Mapping[int, PartRecord] | None = None,
) -> Mapping[str, Any]:
    """Finish a job whose parts have all run, write its manifest, and return it.

    Parameters
    ----------
    records : mapping, optional
        Record of each part by number; those in the folder when None.

    Raises
    ------
    UsageError
        When a part has no record.
    Conflict
        When another process committed first; the message names it.
    """
    if records is None:
        records = read_records(folder, plan_digest=plan.digest)
    missing = [part.number for part in plan.parts if part.number not in records]
    if missing:
        listed = ", ".join(map(str, missing[:_MAX_LISTED]))
        raise UsageError(
            f"{folder}: {pluralize(len(missing), 'part')} of {len(plan.parts)} did not run: {listed};"
            f" run each with `mlops parts run {folder} --index N`"
        )
    ordered = [records[part.number] for part in plan.parts]
    manifest = {
        "format": _FORMAT,
        "job": plan.job,
        "plan": plan.digest,
        "settings": dict(plan.settings),
        "sources": [{"address": source.address, "version": source.version} for source in plan.sources],
        "n_rows": plan.n_rows,
        "parts": [_listed_part(record) for record in ordered],
        "result": dict(job.finish(plan, ordered, folder, engine)),
        "committed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "committed_by": f"{socket.gethostname()}:{os.getpid()}",
    }
    path, content = folder / MANIFEST_NAME, canonical_json(manifest).encode()
    if not path.create(content):
        other = json.loads(path.read_bytes())
        raise Conflict(
            f"{path}: {other['committed_by']} committed this job at {other['committed_at']}; its result is complete"
        )
    written: Mapping[str, Any] = json.loads(content)
    return written


def _listed_part(record: PartRecord) -> dict[str, Any]:
    listed = record.as_dict()
    return {key: listed[key] for key in ("number", "n_rows", "files")}


def read_manifest(folder: StoragePath) -> Mapping[str, Any] | None:
    """Return the manifest of an output folder; None while the job is not committed.

    Raises
    ------
    IntegrityError
        When the manifest is damaged.
    """
    path = folder / MANIFEST_NAME
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise IntegrityError(f"{path}: is no manifest ({error}); remove it, and commit the job again") from error
    if not isinstance(manifest, dict) or "parts" not in manifest:
        raise IntegrityError(f"{path}: is no manifest of parts; remove it, and commit the job again")
    return manifest
