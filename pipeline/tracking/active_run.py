"""One open run: it logs to the store, or to the outbox while the store is unreachable."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from pipeline.project import paths
from pipeline.tracking.run_operations import EndRun, RunBatch, apply_operation
from pipeline.tracking.run_outbox import PendingRun, PendingRunHeader, create_pending_run
from pipeline.tracking.run_store import StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from pipeline.tracking.run_operations import MetricPoint, RunOperation
    from pipeline.tracking.run_store import RunStore

__all__ = ["ActiveRun", "TrackingWarning", "now_ms"]


class TrackingWarning(UserWarning):
    """The tracking store is unreachable; work continues."""


def now_ms() -> int:
    """Return the current time in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


@dataclass
class ActiveRun:
    """An open run; use it in a `with` statement, or call `end`.

    `run_id` is None for a run that started while the store was unreachable; then `key` names its folder
    in the outbox. `was_finished` means that a finished run with the same fingerprint exists; nothing is
    logged to it again.
    """

    store: RunStore
    experiment: str
    name: str
    tags: Mapping[str, str]
    parent: ActiveRun | None = None
    run_id: str | None = None
    was_finished: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    metric_points: dict[str, MetricPoint] = field(default_factory=dict, repr=False)
    open_runs: list[ActiveRun] = field(default_factory=list, repr=False)
    _pending_run: PendingRun | None = field(default=None, repr=False)
    _started_ms: int = field(default_factory=now_ms, repr=False)

    @classmethod
    def from_key(cls, store: RunStore, experiment: str, key: str, stack: list[ActiveRun]) -> Self:
        """Return a run that another process opened, by its `key`."""
        folder = store.root / paths.RUN_OUTBOX / key
        pending_run = PendingRun(folder) if folder.is_dir() else None
        run_id = None if pending_run is not None else key
        return cls(store, experiment, key, {}, run_id=run_id, open_runs=stack, _pending_run=pending_run)

    @property
    def is_online(self) -> bool:
        """Whether logged values reach the store now."""
        return self._pending_run is None

    @property
    def key(self) -> str:
        """The id of the run, or the name of its folder in the outbox."""
        if self.run_id is not None:
            return self.run_id
        return self._pending_run.key if self._pending_run is not None else ""

    def start(self) -> Self:
        """Create the run in the store, or in the outbox if the store is unreachable."""
        if self.was_finished:
            return self
        try:
            if self.parent is not None and not self.parent.is_online:
                self._create_pending_run()
            elif self.run_id is None:
                self._create_run()
            else:
                self._reopen_run(self.run_id)
        except StoreUnreachable as error:
            self._go_offline(error)
        return self

    def _create_run(self) -> None:
        experiment_id = self.store.experiment_id(self.experiment)
        tags = dict(self.tags)
        if self.parent is not None:
            tags["mlflow.parentRunId"] = self.parent.key
        client = self.store.client()
        with self.store.translate_errors():
            run = client.create_run(experiment_id, start_time=self._started_ms, tags=tags, run_name=self.name)
        self.run_id = str(run.info.run_id)

    def _reopen_run(self, run_id: str) -> None:
        client = self.store.client()
        with self.store.translate_errors():
            client.update_run(run_id, status="RUNNING")
            apply_operation(client, run_id, RunBatch(tags=self.tags))

    def send(self, operation: RunOperation) -> None:
        """Apply one operation to the run, now or later."""
        if self.was_finished:
            return
        if isinstance(operation, RunBatch):
            self.metrics.update({point.name: point.value for point in operation.metrics})
            self.metric_points.update({point.name: point for point in operation.metrics})
        if self._pending_run is not None:
            self._pending_run.append(operation)
            return
        if self.run_id is None:
            self.start()
            self.send(operation)
            return
        try:
            client = self.store.client()
            with self.store.translate_errors():
                apply_operation(client, self.run_id, operation)
        except StoreUnreachable as error:
            self._go_offline(error).append(operation)

    def _go_offline(self, error: StoreUnreachable) -> PendingRun:
        pending_run = self._create_pending_run()
        warnings.warn(
            f"the tracking store is unreachable: {error}. Run {self.name!r} is logged to {pending_run.folder};"
            " send it later with `mlops tracking flush`",
            TrackingWarning,
            stacklevel=2,
        )
        return pending_run

    def _create_pending_run(self) -> PendingRun:
        parent = None if self.parent is None else self.parent.key
        head = PendingRunHeader(self.experiment, self.name, self._started_ms, dict(self.tags), parent, self.run_id)
        self._pending_run = create_pending_run(self.store.root, head)
        return self._pending_run

    def end(self, status: str = "FINISHED") -> None:
        """End the run: FINISHED, FAILED or KILLED."""
        self.send(EndRun(status, now_ms()))
        if self in self.open_runs:
            del self.open_runs[self.open_runs.index(self) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.end()
            return
        if issubclass(kind, Exception):
            self.send(RunBatch(tags={"mlops.error": f"{kind.__name__}: {error}"[:4900]}))
        self.end("FAILED" if issubclass(kind, Exception) else "KILLED")
