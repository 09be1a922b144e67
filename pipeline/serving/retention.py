"""Remove log rows that exceed the retention time, in batches or by partition, while the server runs.

An account that does not own the log removes nothing and reports what is overdue.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.serving.steady_clock import SteadyClock
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.groups.serving_config import PredictionLogConfig
    from pipeline.state import State

__all__ = ["RetentionWorker", "check_retention", "erase_subject", "prepare_partitions", "prune_log"]

_BATCH_ROWS = 2_000
_INTERVAL_S = 60.0
_STOP_TIMEOUT_S = 5.0
# Longer than a server is usually idle.
_MAX_CLOCK_GAP_US = 7 * store.DAY_US
_CLOCK_RECORD_INTERVAL_US = 600_000_000
_US_PER_S = 1_000_000
_SERVER_ACTOR = "server"


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
        clock = SteadyClock(wall=lambda: state.clock() / _US_PER_S)
        self._state = replace(state, clock=lambda: int(clock() * _US_PER_S))
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
        if _owns_log(self._state):
            prepare_partitions(self._state, self._config)

    def _prune(self) -> None:
        if _owns_log(self._state):
            prune_log(self._state, self._config, actor=_SERVER_ACTOR, is_stopped=self._stop_event.is_set)
        else:
            check_retention(self._state, self._config)


def _owns_log(state: State) -> bool:
    if state.is_file:
        return True
    with state.reading() as connection:
        return store.owns_log(connection)


def check_retention(state: State, config: PredictionLogConfig) -> None:
    """Check that the owner of a log on PostgreSQL prepares partitions and removes old rows in time.

    Raises
    ------
    Conflict
        When today has no partition, or rows are a day past their retention time.
    """
    now, days = state.clock(), config.partition_days
    before = now - (config.retention_days + 1) * store.DAY_US
    with state.reading() as connection:
        is_unprepared = bool(store.missing_partitions(connection, [now], days=days))
        until = store.droppable_until(connection, before=before, days=days)
        n_overdue = store.count_older_predictions(connection, before=until)
    problems = ["the prediction log has no partition for today"] if is_unprepared else []
    if n_overdue:
        problems.append(f"{pluralize(n_overdue, 'prediction')} exceeded {pluralize(config.retention_days, 'day')}")
    if problems:
        raise Conflict(
            f"retention: {' and '.join(problems)}; run `mlops prediction-log prune` each hour with the account that"
            " owns the tables"
        )


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


def prune_log(
    state: State,
    config: PredictionLogConfig,
    *,
    actor: str,
    confirms_clock: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Remove rows and stored responses that exceed their retention time, in short transactions; return their number.

    The audit trail records the number of predictions before they are removed.

    Parameters
    ----------
    state : State
    config : PredictionLogConfig
    actor : str
        For the audit trail.
    confirms_clock : bool
        Whether the clock of this machine is right although the log has seen no moment near it.
    is_stopped : callable
        Asked between two transactions; the function returns early when it is true.

    Raises
    ------
    Conflict
        When the clock is far ahead of the last moment that the log has seen; or when readers hold partitions to
        remove, and a later call tries again.
    DependencyUnavailable
        When the database cannot be written.
    """
    now = state.clock()
    _check_clock(state, now, config, is_confirmed=confirms_clock)
    before, n_removed = now - config.retention_days * store.DAY_US, 0
    before -= before % store.HOUR_US  # whole hours, so that a new roll-up never counts half of one
    _record_removal(state, before, config, actor=actor)
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


def _check_clock(state: State, now: int, config: PredictionLogConfig, *, is_confirmed: bool) -> None:
    """Refuse a clock that is far ahead of what the log has seen, otherwise record it.

    The limit is less than the retention time, so no jump of a clock removes the newest rows.
    """
    max_gap = min(_MAX_CLOCK_GAP_US, config.retention_days * store.DAY_US // 2)
    with state.reading() as connection:
        seen = store.read_seen_clock(connection, until=now, max_gap=max_gap)
    if seen is not None and now > seen + max_gap and not is_confirmed:
        ahead, last = (now - seen) // store.DAY_US, datetime.fromtimestamp(seen / _US_PER_S, UTC)
        raise Conflict(
            f"retention: the clock of this machine is {pluralize(ahead, 'day')} ahead of {last:%Y-%m-%d %H:%M} UTC, the"
            " last moment that the log has seen; nothing was removed. Correct the clock; if it is right, run"
            " `mlops prediction-log prune --confirm-clock`"
        )
    if seen is None or is_confirmed or now - seen > _CLOCK_RECORD_INTERVAL_US:
        with state.writing() as connection:
            store.record_seen_clock(connection, now)


def _record_removal(state: State, before: int, config: PredictionLogConfig, *, actor: str) -> None:
    """Write an audit entry about the predictions that are about to be removed, if there are any."""
    with state.reading() as connection:
        if not state.is_file:
            before = store.droppable_until(connection, before=before, days=config.partition_days)
        n_old = store.count_older_predictions(connection, before=before)
    if not n_old:
        return
    with state.writing() as connection:
        reason = f"{pluralize(n_old, 'prediction')} older than {pluralize(config.retention_days, 'day')}"
        event = store.AuditEvent(actor, store.PRUNE_ACTION, state.clock(), reason)
        store.append_audit_entry(connection, event, model="", after={"removed_before": before, "n_predictions": n_old})


def erase_subject(state: State, subject: str, *, actor: str, hash_key: bytes) -> int:
    """Remove all data about a subject and return the number of removed predictions.

    The audit trail records the removal with a digest of the subject under `hash_key`, not the subject. No byte of the
    rows remains in the files of SQLite; PostgreSQL keeps them until its next vacuum.

    Raises
    ------
    Conflict
        When the rows are removed and a reader holds the write-ahead log; a second call empties it.
    """
    if not state.is_file:  # detached partitions may hold rows of the subject
        store.remove_detached_partitions(state)
    digest = blake2b(subject.encode(), key=hash_key, digest_size=32, person=b"erased-subject").hexdigest()
    with state.writing() as connection:
        n_removed = store.erase_subject(connection, subject)
        event = store.AuditEvent(actor, "erase", state.clock(), f"{pluralize(n_removed, 'prediction')} of a subject")
        store.append_audit_entry(connection, event, model="", after={"subject_digest": digest})
    store.empty_wal(state)
    return n_removed
