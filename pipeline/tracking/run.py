"""One open run: what it says goes to the store, or to the outbox from the moment the store is down."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from pipeline.tracking.operations import Batch, End, apply
from pipeline.tracking.outbox import Head, Letter, new_letter
from pipeline.tracking.store import OUTBOX, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from pipeline.tracking.operations import Operation
    from pipeline.tracking.store import Store

__all__ = ["ActiveRun", "TrackingWarning", "now_ms"]


class TrackingWarning(UserWarning):
    """The store of runs is down; work goes on."""


def now_ms() -> int:
    """Return the moment in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


@dataclass
class ActiveRun:
    """A run that is open; use it in a `with` statement, or call `end`.

    `run_id` is None for a run that began while the store was down; then `key` names its folder in the
    outbox. `was_finished` says that a finished run with the same fingerprint was found: it is not
    written to again.
    """

    store: Store
    experiment: str
    name: str
    tags: Mapping[str, str]
    parent: ActiveRun | None = None
    run_id: str | None = None
    was_finished: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    stack: list[ActiveRun] = field(default_factory=list, repr=False)
    _letter: Letter | None = field(default=None, repr=False)
    _started_ms: int = field(default_factory=now_ms, repr=False)

    @classmethod
    def of_key(cls, store: Store, experiment: str, key: str, stack: list[ActiveRun]) -> Self:
        """Return a run that is open elsewhere, by its `key`."""
        folder = store.root / OUTBOX / key
        letter = Letter(folder) if folder.is_dir() else None
        run_id = None if letter is not None else key
        return cls(store, experiment, key, {}, run_id=run_id, stack=stack, _letter=letter)

    @property
    def is_online(self) -> bool:
        """Whether what is logged now reaches the store."""
        return self._letter is None

    @property
    def key(self) -> str:
        """The id of the run, or the name of its folder in the outbox."""
        if self.run_id is not None:
            return self.run_id
        return self._letter.key if self._letter is not None else ""

    def begin(self) -> Self:
        """Make the run in the store, or in the outbox when the store is down."""
        if self.was_finished:
            return self
        try:
            if self.parent is not None and not self.parent.is_online:
                self._write_letter()
            elif self.run_id is None:
                self._create()
            else:
                self._reopen(self.run_id)
        except Unreachable as error:
            self._go_offline(error)
        return self

    def _create(self) -> None:
        experiment_id = self.store.experiment_id(self.experiment)
        tags = dict(self.tags)
        if self.parent is not None:
            tags["mlflow.parentRunId"] = self.parent.key
        client = self.store.client()
        with self.store.asking():
            run = client.create_run(experiment_id, start_time=self._started_ms, tags=tags, run_name=self.name)
        self.run_id = str(run.info.run_id)

    def _reopen(self, run_id: str) -> None:
        client = self.store.client()
        with self.store.asking():
            client.update_run(run_id, status="RUNNING")
            apply(client, run_id, Batch(tags=self.tags))

    def send(self, operation: Operation) -> None:
        """Do one thing to the run, now or later."""
        if self.was_finished:
            return
        if self._letter is not None:
            self._letter.append(operation)
            return
        if self.run_id is None:
            self.begin()
            self.send(operation)
            return
        try:
            client = self.store.client()
            with self.store.asking():
                apply(client, self.run_id, operation)
        except Unreachable as error:
            self._go_offline(error).append(operation)

    def _go_offline(self, error: Unreachable) -> Letter:
        letter = self._write_letter()
        warnings.warn(
            f"the store of runs is not to be had: {error}. Work goes on; what run {self.name!r} says is kept in"
            f" {letter.folder} until `mlops track send` sends it",
            TrackingWarning,
            stacklevel=2,
        )
        return letter

    def _write_letter(self) -> Letter:
        parent = None if self.parent is None else self.parent.key
        head = Head(self.experiment, self.name, self._started_ms, dict(self.tags), parent, self.run_id)
        self._letter = new_letter(self.store.root, head)
        return self._letter

    def end(self, status: str = "FINISHED") -> None:
        """End the run: FINISHED, FAILED or KILLED."""
        self.send(End(status, now_ms()))
        if self in self.stack:
            del self.stack[self.stack.index(self) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.end()
            return
        if issubclass(kind, Exception):
            self.send(Batch(tags={"mlops.error": f"{kind.__name__}: {error}"[:4900]}))
        self.end("FAILED" if issubclass(kind, Exception) else "KILLED")
