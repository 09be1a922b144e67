"""Keep the log within its bounds while the server runs: old rows go, a few at a time or a partition at once."""

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

__all__ = ["RetentionWorker", "erase_subject", "prepare_partitions", "prune"]

_BATCH_ROWS = 2_000
_INTERVAL_S = 60.0
_STOP_TIMEOUT_S = 5.0


class RetentionWorker:
    """A thread that looks after the log each minute, beside everything else.

    Parameters
    ----------
    state : State
    config : LogConfig

    `error` says what went wrong the last time, None when nothing did.
    """

    def __init__(self, state: State, config: PredictionLogConfig) -> None:
        self.last_error: str | None = None
        self._state = state
        self._config = config
        self._stop_event = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-upkeep", daemon=True)

    def start(self) -> None:
        """Start; a log that is not kept needs nothing."""
        if self._config.mode == "durable":
            self._thread.start()

    def stop(self) -> None:
        """End after the transaction that is under way; one that takes long is left to the database, which undoes it."""
        self._stop_event.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        self._run_once(self._prepare_partitions)
        while not self._stop_event.wait(_INTERVAL_S):
            self._run_once(self._prepare_partitions, self._prune)

    def _run_once(self, *tasks: Callable[[], object]) -> None:
        failed = []
        for task in tasks:
            try:
                task()
            except Exception as error:  # noqa: BLE001 - whatever it is, what is old must go, and the next minute comes
                failed.append(str(error).strip().partition("\n")[0])
        self.last_error = "; ".join(failed) or None

    def _prepare_partitions(self) -> None:
        prepare_partitions(self._state, self._config)

    def _prune(self) -> None:
        prune(self._state, self._config, is_stopped=self._stop_event.is_set)


def prepare_partitions(state: State, config: PredictionLogConfig) -> None:
    """Make the partitions of now and of the time after it, where the log has partitions.

    Raises
    ------
    Conflict
        When readers hold the log for longer than writers may be kept waiting; the next call will do.
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


def prune(state: State, config: PredictionLogConfig, *, is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Remove rows and stored answers that are older than the settings say, in short transactions; return how many.

    It ends before its time when `is_over` says so, which is asked between two transactions.

    Raises
    ------
    Conflict
        When readers hold partitions that are to go; the next call will do.
    DependencyUnavailable
        When the database cannot be written.
    """
    now = state.clock()
    before, n_removed = now - config.retention_days * store.DAY_US, 0
    before -= before % store.HOUR_US  # an hour goes as a whole, so that what is counted anew is never half of one
    if not state.is_file:
        n_removed += store.drop_partitions(state, before=before)
        # The partition in which the time ends goes later as a whole; what lies in none goes now.
        before = store.partition_start(before, days=config.partition_days)
    while True:
        with state.writing() as connection:
            n_rows = store.remove_predictions(connection, before=before, limit=_BATCH_ROWS)
            n_answers = store.remove_stored_responses(
                connection, before=now - config.idempotency_hours * store.HOUR_US, limit=_BATCH_ROWS
            )
        n_removed += n_rows + n_answers
        if max(n_rows, n_answers) < _BATCH_ROWS or is_stopped():
            return n_removed


def erase_subject(state: State, subject: str, *, actor: str) -> int:
    """Remove all that is kept about a subject and return how many predictions that were; the audit trail tells of it.

    The trail keeps a digest of the subject, not the subject.
    """
    if not state.is_file:  # what left the log and is not gone yet may speak of the subject
        store.remove_detached_partitions(state)
    with state.writing() as connection:
        n_removed = store.erase_subject(connection, subject)
        act = store.AuditEvent(actor, "erase", state.clock(), f"{pluralize(n_removed, 'prediction')} of a subject")
        store.append_audit_entry(connection, act, model="", after={"subject_sha256": sha256(subject.encode())})
    return n_removed
