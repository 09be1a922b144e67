"""Keep what a run says while its store is down, one folder for each run, and send it when the store is back."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.errors import IntegrityError
from pipeline.project import paths
from pipeline.tracking.run_operations import (
    ArtifactFiles,
    EndRun,
    apply_operation,
    operation_from_dict,
    operation_to_dict,
)

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

PENDING_RUN_TAG = "mlops.letter"
_PARENT_TAG = "mlflow.parentRunId"
_HEADER_FILE = "head.json"
_OPERATIONS_FILE = "operations.jsonl"


@dataclass(frozen=True, slots=True)
class PendingRunHeader:
    """How to begin the run: `run_id` is set when the store went down after the run was made there.

    `parent` is the id of a run, or the key of another letter.
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
        """Name of the letter; it becomes a tag of the run, so that sending twice makes one run."""
        return self.folder.name

    def header(self) -> PendingRunHeader:
        """Return how the run begins."""
        return PendingRunHeader(**files.read_json(self.folder / _HEADER_FILE))

    @property
    def is_ended(self) -> bool:
        """Whether the run has ended."""
        return any(isinstance(operation, EndRun) for operation in self.operations())

    def append(self, operation: RunOperation) -> None:
        """Keep one operation; files are copied, since theirs may be gone by the time they are sent."""
        lines = self.folder / _OPERATIONS_FILE
        if isinstance(operation, ArtifactFiles):
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
        """Yield what was kept, in order.

        Raises
        ------
        IntegrityError
            When a line is not one that was written whole.
        """
        lines = self.folder / _OPERATIONS_FILE
        if not lines.exists():
            return
        for number, line in enumerate(lines.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                yield operation_from_dict(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                raise IntegrityError(
                    f"{lines}:{number}: not what was written; remove the line and send again"
                ) from error


def _copy_file(source: Path, target: Path) -> Path:
    shutil.copyfile(source, target)
    return target


def create_pending_run(root: Path, head: PendingRunHeader) -> PendingRun:
    """Begin the folder of a run below `root`."""
    folder = root / paths.RUN_OUTBOX / f"{head.started_ms}-{uuid.uuid4().hex[:12]}"
    folder.mkdir(parents=True)
    files.write_json(folder / _HEADER_FILE, asdict(head))
    return PendingRun(folder)


def pending_runs(root: Path) -> list[PendingRun]:
    """Return what waits below `root`, oldest first (a parent before its children)."""
    return [PendingRun(head.parent) for head in sorted((root / paths.RUN_OUTBOX).glob(f"*/{_HEADER_FILE}"))]


def send_pending_runs(store: RunStore, root: Path, *, unfinished: bool = False) -> list[str]:
    """Send the letters below `root`, remove those that arrived, and return the ids of their runs.

    Letters of runs that have not ended are left, unless `unfinished`: their process may be writing.

    Raises
    ------
    Unreachable
        When the store is still down; what was not sent is still there.
    """
    arrived: dict[str, str] = {}
    waiting = [letter for letter in pending_runs(root) if unfinished or letter.is_ended]
    for letter in waiting:
        arrived[letter.key] = _send_run(store, letter, arrived)
    for letter in waiting:
        shutil.rmtree(letter.folder)
    return list(arrived.values())


def _send_run(store: RunStore, letter: PendingRun, arrived: Mapping[str, str]) -> str:
    head = letter.header()
    client = store.client()
    experiment_id = store.experiment_id(head.experiment)
    with store.translate_errors():
        run_id = head.run_id or _find_or_create_run(client, experiment_id, letter.key, head, arrived)
        for operation in letter.operations():
            apply_operation(client, run_id, operation)
    return run_id


def _find_or_create_run(
    client: Any, experiment_id: str, key: str, head: PendingRunHeader, arrived: Mapping[str, str]
) -> str:
    begun = client.search_runs([experiment_id], f"tags.`{PENDING_RUN_TAG}` = '{key}'", max_results=1)
    if begun:
        return str(begun[0].info.run_id)
    tags = {**head.tags, PENDING_RUN_TAG: key}
    parent = head.parent or tags.get(_PARENT_TAG)
    if parent is not None:
        tags[_PARENT_TAG] = arrived.get(parent, parent)
    run = client.create_run(experiment_id, start_time=head.started_ms, tags=tags, run_name=head.name)
    return str(run.info.run_id)
