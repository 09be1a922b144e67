"""Store runs on disk while the tracking store is unreachable, one folder each, and send them later."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.errors import IntegrityError
from pipeline.project import paths
from pipeline.tracking.run_operations import (
    ArtifactFiles,
    EndRun,
    ModelFiles,
    apply_operation,
    operation_from_dict,
    operation_to_dict,
)
from pipeline.tracking.run_process import PROCESS_TAG, RunProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.tracking.run_operations import RunOperation
    from pipeline.tracking.run_store import RunStore

__all__ = [
    "PENDING_RUN_TAG",
    "PendingRun",
    "PendingRunHeader",
    "create_pending_run",
    "pending_runs",
    "send_pending_runs",
]

PENDING_RUN_TAG = "mlops.pending_run"
_PARENT_TAG = "mlflow.parentRunId"
_HEADER_FILE = "head.json"
_OPERATIONS_FILE = "operations.jsonl"


@dataclass(frozen=True, slots=True)
class PendingRunHeader:
    """How to create the run; `run_id` is set if the store failed after the run was created there.

    `parent` is the id of a run, or the key of another pending run.
    """

    experiment: str
    name: str
    started_ms: int
    tags: Mapping[str, str]
    parent: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class PendingRun:
    """The folder of one run in the outbox."""

    folder: Path

    @property
    def key(self) -> str:
        """Name of the folder; it becomes a tag of the run, so that sending twice creates one run."""
        return self.folder.name

    def header(self) -> PendingRunHeader:
        """Return the header of the run."""
        return PendingRunHeader(**files.read_json(self.folder / _HEADER_FILE))

    @property
    def is_ended(self) -> bool:
        """Whether the run has ended."""
        return any(isinstance(operation, EndRun) for operation in self.operations())

    @property
    def is_abandoned(self) -> bool:
        """Whether the process of the run is gone."""
        process = RunProcess.from_tag(self.header().tags.get(PROCESS_TAG, ""))
        return process is not None and process.is_gone()

    def append(self, operation: RunOperation) -> None:
        """Store one operation; files are copied, because the originals may be deleted before they are sent."""
        lines = self.folder / _OPERATIONS_FILE
        if isinstance(operation, ArtifactFiles | ModelFiles):
            operation = replace(operation, source=self._copy_artifact(operation.source))
        with lines.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(operation_to_dict(operation)) + "\n")

    def _copy_artifact(self, source: Path) -> Path:
        place = self.folder / "files" / uuid.uuid4().hex
        if source.is_dir():
            shutil.copytree(source, place)
            return place
        place.mkdir(parents=True)
        return _copy_file(source, place / source.name)

    def operations(self) -> Iterator[RunOperation]:
        """Yield the stored operations in order.

        Raises
        ------
        IntegrityError
            When a line is incomplete.
        """
        lines = self.folder / _OPERATIONS_FILE
        if not lines.exists():
            return
        for number, line in enumerate(lines.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                yield operation_from_dict(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                raise IntegrityError(f"{lines}:{number}: incomplete line; remove it and send again") from error


def _copy_file(source: Path, target: Path) -> Path:
    shutil.copyfile(source, target)
    return target


def create_pending_run(root: Path, header: PendingRunHeader) -> PendingRun:
    """Create the folder of a pending run below `root`."""
    folder = root / paths.RUN_OUTBOX / f"{header.started_ms}-{uuid.uuid4().hex[:12]}"
    files.make_private_folder(folder)
    files.write_json(folder / _HEADER_FILE, asdict(header))
    return PendingRun(folder)


def pending_runs(root: Path) -> list[PendingRun]:
    """Return the pending runs below `root`, oldest first (a parent before its children)."""
    return [PendingRun(header.parent) for header in sorted((root / paths.RUN_OUTBOX).glob(f"*/{_HEADER_FILE}"))]


def send_pending_runs(store: RunStore, root: Path, *, unfinished: bool = False) -> list[str]:
    """Send the pending runs below `root`, delete them, and return their run ids.

    A run that has not ended is skipped while its process may still write. If the process is gone, the run ends as
    KILLED; with `unfinished` also if that cannot be known.

    Raises
    ------
    StoreUnreachable
        When the store is still unreachable; all pending runs are still there.
    """
    sent_ids: dict[str, str] = {}
    pending = pending_runs(root)
    for run in pending:
        if not run.is_ended and (unfinished or run.is_abandoned):
            run.append(EndRun("KILLED", time.time_ns() // 1_000_000))
    runs = [run for run in pending if run.is_ended]
    for run in runs:
        sent_ids[run.key] = _send_run(store, run, sent_ids)
    for run in runs:
        shutil.rmtree(run.folder)
    return list(sent_ids.values())


def _send_run(store: RunStore, pending_run: PendingRun, sent_ids: Mapping[str, str]) -> str:
    header = pending_run.header()
    client = store.client()
    experiment_id = store.experiment_id(header.experiment)
    with store.translate_errors():
        run_id = header.run_id or _find_or_create_run(client, experiment_id, pending_run.key, header, sent_ids)
        for operation in pending_run.operations():
            apply_operation(client, run_id, operation)
    return run_id


def _find_or_create_run(
    client: Any, experiment_id: str, key: str, header: PendingRunHeader, sent_ids: Mapping[str, str]
) -> str:
    found_runs = client.search_runs([experiment_id], f"tags.`{PENDING_RUN_TAG}` = '{key}'", max_results=1)
    if found_runs:
        return str(found_runs[0].info.run_id)
    tags = {**header.tags, PENDING_RUN_TAG: key}
    parent = header.parent or tags.get(_PARENT_TAG)
    if parent is not None:
        tags[_PARENT_TAG] = sent_ids.get(parent, parent)
    run = client.create_run(experiment_id, start_time=header.started_ms, tags=tags, run_name=header.name)
    return str(run.info.run_id)
