"""Remove log rows that exceed the retention time, in batches or by partition, while the server runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.files import sha256
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.groups.serving_config import PredictionLogConfig
    from pipeline.state import State

__all__ = ["RetentionWorker", "erase_subject", "prepare_partitions", "prune_log"]

_BATCH_ROWS = 2_000
_INTERVAL_S = 60.0
_STOP_TIMEOUT_S = 5.0


class RetentionWorker:
    """A thread that prepares partitions and removes old log rows each minute.

    Parameters
    ----------
    state : State
    config : PredictionLogConfig

    Attributes
    ----------
    last_error : str or None
        Messages of the last run, None when it succeeded.
    """

    def __init__(self, state: State, config: PredictionLogConfig) -> None:
        self.last_error: str | None = None
        self._state = state
        self._config = config
        self._stop_event = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-retention", daemon=True)

    def start(self) -> None:
        """Start the thread, unless nothing is logged."""
        if self._config.mode == "durable":
            self._thread.start()

    def stop(self) -> None:
        """End after the transaction in progress; the database rolls back one that takes longer than 5 s."""
        self._stop_event.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        self._run_once(self._prepare_partitions)
        while not self._stop_event.wait(_INTERVAL_S):
            self._run_once(self._prepare_partitions, self._prune)

    def _run_once(self, *tasks: Callable[[], object]) -> None:
        errors = []
        for task in tasks:
            try:
                task()
            except Exception as error:  # noqa: BLE001 - the next run tries again
                errors.append(str(error).strip().partition("\n")[0])
        self.last_error = "; ".join(errors) or None

    def _prepare_partitions(self) -> None:
        prepare_partitions(self._state, self._config)

    def _prune(self) -> None:
        prune_log(self._state, self._config, is_stopped=self._stop_event.is_set)


def prepare_partitions(state: State, config: PredictionLogConfig) -> None:
    """Create the partitions of the present and of the period after it, where the log has partitions.

    Raises
    ------
    Conflict
        When readers hold the log for longer than writers may wait; a later call tries again.
    DependencyUnavailable
        When the database cannot be written.
    """
    if state.is_file:
        return
    days = config.partition_days
    now = state.clock()
    moments = (now, now + days * store.DAY_US)
    with state.reading() as connection:
        is_prepared = not store.missing_partitions(connection, moments, days=days)
    if not is_prepared:
        with state.writing() as connection:
            store.add_partitions(connection, moments, days=days)


def prune_log(state: State, config: PredictionLogConfig, *, is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Remove rows and stored responses that exceed their retention time, in short transactions; return their number.

    Between two transactions it asks `is_stopped`, and returns early when that is true.

    Raises
    ------
    Conflict
        When readers hold partitions to remove; a later call tries again.
    DependencyUnavailable
        When the database cannot be written.
    """
    now = state.clock()
    before, n_removed = now - config.retention_days * store.DAY_US, 0
    before -= before % store.HOUR_US  # whole hours, so that a new roll-up never counts half of one
    if not state.is_file:
        n_removed += store.drop_partitions(state, before=before)
        # The partition that holds the end of the time is removed later as a whole; rows outside partitions go now.
        before = store.partition_start(before, days=config.partition_days)
    while True:
        with state.writing() as connection:
            n_rows = store.remove_predictions(connection, before=before, limit=_BATCH_ROWS)
            n_responses = store.remove_stored_responses(
                connection, before=now - config.idempotency_hours * store.HOUR_US, limit=_BATCH_ROWS
            )
        n_removed += n_rows + n_responses
        if max(n_rows, n_responses) < _BATCH_ROWS or is_stopped():
            return n_removed


def erase_subject(state: State, subject: str, *, actor: str) -> int:
    """Remove all data about a subject and return the number of removed predictions.

    The audit trail records the removal with a digest of the subject, not the subject.
    """
    if not state.is_file:  # detached partitions may hold rows of the subject
        store.remove_detached_partitions(state)
    with state.writing() as connection:
        n_removed = store.erase_subject(connection, subject)
        event = store.AuditEvent(actor, "erase", state.clock(), f"{pluralize(n_removed, 'prediction')} of a subject")
        store.append_audit_entry(connection, event, model="", after={"subject_sha256": sha256(subject.encode())})
    return n_removed
