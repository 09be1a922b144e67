"""Store sweeps and their trials: a claim lets one worker at a time run a configuration, and a result is read again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import insert, select, update

from pipeline.files import canonical_json
from pipeline.state.sequence import next_number
from pipeline.state.tables import sweep_trials, sweeps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, Row

__all__ = [
    "StoredSweep",
    "SweepTrial",
    "SweepTrialState",
    "TrialClaim",
    "add_sweep",
    "claim_trial",
    "end_trial",
    "fail_sweep_trial",
    "find_sweep",
    "read_sweep_trials",
    "renew_trial_claim",
    "update_sweep",
]

SweepTrialState = Literal["running", "finished", "failed"]
_LOST = "its worker ended before the trial did"


@dataclass(frozen=True, slots=True)
class StoredSweep:
    """One sweep; moments are in microseconds since 1970, UTC.

    Attributes
    ----------
    folder : str
        Folder of Hydra for the sweep.
    varies : tuple of str
        Keys that vary between trials.
    n_jobs : int
        Number of trials that were planned.
    objective : str
        Metric that the sweep compares.
    parent_run : str or None
        Key of the run of the sweep in MLflow.
    stop_reason : str or None
        The failure that stopped the sweep.
    """

    folder: str
    varies: tuple[str, ...]
    n_jobs: int
    objective: str
    started_at: int
    parent_run: str | None = None
    stop_reason: str | None = None
    ended_at: int | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class SweepTrial:
    """One trial of a sweep, or a single trial without one; moments are in microseconds since 1970, UTC.

    Attributes
    ----------
    sweep, number : int or None
        The sweep, and the number of the trial in it.
    fingerprint : str or None
        Hash of all that the result depends on; None for a configuration that is invalid.
    metric : str
        The objective; its mean and standard deviation over folds are `value` and `std`.
    metrics : mapping
        Mean over folds of every metric.
    run_key : str or None
        Key of its run in MLflow.
    copied_from : int or None
        The trial that had the result before; None if this one computed it.
    worker : str
        The process that runs it.
    attempt : int
        How many workers claimed it so far.
    expires_at : int
        When the claim of the worker ends by itself.
    """

    label: str
    overrides: tuple[str, ...]
    metric: str
    worker: str
    started_at: int
    expires_at: int
    sweep: int | None = None
    number: int | None = None
    fingerprint: str | None = None
    state: SweepTrialState = "running"
    value: float | None = None
    std: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    run_key: str | None = None
    copied_from: int | None = None
    error: str | None = None
    attempt: int = 1
    ended_at: int | None = None
    seq: int = 0

    @property
    def was_recorded(self) -> bool:
        """Whether an earlier trial had the result."""
        return self.copied_from is not None


@dataclass(frozen=True, slots=True)
class TrialClaim:
    """What a worker got: its own trial to run, a finished one, or the running trial of another worker."""

    trial: SweepTrial
    is_own: bool


def add_sweep(connection: Connection, sweep: StoredSweep) -> StoredSweep:
    """Add a sweep in the caller's transaction and return it with its number."""
    numbered = replace(sweep, seq=next_number(connection, "sweeps"))
    connection.execute(insert(sweeps).values(**{**asdict(numbered), "varies": canonical_json(list(sweep.varies))}))
    return numbered


def find_sweep(connection: Connection, seq: int) -> StoredSweep | None:
    """Return the sweep with a number; None where the database has none."""
    row = connection.execute(select(sweeps).where(sweeps.c.seq == seq)).first()
    return None if row is None else StoredSweep(**{**row._asdict(), "varies": tuple(json.loads(row.varies))})


def update_sweep(connection: Connection, seq: int, **values: Any) -> None:
    """Set columns of a sweep in the caller's transaction."""
    connection.execute(update(sweeps).where(sweeps.c.seq == seq).values(**values))


def claim_trial(connection: Connection, trial: SweepTrial, *, is_gone: Callable[[str], bool]) -> TrialClaim:
    """Claim a configuration in a writing transaction.

    A finished trial with the same fingerprint gives its result. A running one is of its worker until its claim
    expires, or until the worker `is_gone` for certain.

    Parameters
    ----------
    connection : Connection
        In a writing transaction.
    trial : SweepTrial
        Running, with its fingerprint; `started_at` is the present moment.
    is_gone : callable
        Whether a worker has ended for certain.
    """
    same = [_trial_of(row) for row in _rows(connection, sweep_trials.c.fingerprint == trial.fingerprint)]
    own = _find_in_sweep(connection, trial)
    finished = next((other for other in same if other.state == "finished"), None)
    if finished is not None:
        if own is not None and own.state == "finished" and own.fingerprint == trial.fingerprint:
            return TrialClaim(own, is_own=False)
        return TrialClaim(_put(connection, _copy_result(trial, finished), own), is_own=False)
    for other in same:
        if other.state == "running":
            if other.expires_at > trial.started_at and not is_gone(other.worker):
                return TrialClaim(other, is_own=False)
            lost = {"state": "failed", "error": _LOST, "ended_at": trial.started_at}
            connection.execute(update(sweep_trials).where(sweep_trials.c.seq == other.seq).values(**lost))
    return TrialClaim(_put(connection, trial, own), is_own=True)


def _copy_result(trial: SweepTrial, finished: SweepTrial) -> SweepTrial:
    return replace(
        trial,
        state="finished",
        value=finished.value,
        std=finished.std,
        metrics=finished.metrics,
        run_key=finished.run_key,
        copied_from=finished.seq if finished.copied_from is None else finished.copied_from,
        ended_at=trial.started_at,
    )


def renew_trial_claim(connection: Connection, trial: SweepTrial, *, expires_at: int) -> None:
    """Let a claim expire later, unless another worker has claimed the trial meanwhile."""
    connection.execute(update(sweep_trials).where(*_is_attempt(trial)).values(expires_at=expires_at))


def end_trial(connection: Connection, trial: SweepTrial) -> bool:
    """Store the result of a claimed trial; return False, and store nothing, where another worker has it now."""
    changed = connection.execute(update(sweep_trials).where(*_is_attempt(trial)).values(**_row_values(trial)))
    return changed.rowcount == 1


def _is_attempt(trial: SweepTrial) -> tuple[Any, ...]:
    columns = sweep_trials.c
    return columns.seq == trial.seq, columns.attempt == trial.attempt, columns.state == "running"


def fail_sweep_trial(connection: Connection, trial: SweepTrial) -> None:
    """Store the failure of a trial of a sweep, also where it failed before a worker could claim it."""
    own = _find_in_sweep(connection, trial)
    if own is not None and own.state == "running" and own.worker != trial.worker:
        return  # another worker has claimed it since
    if own is not None:
        trial = replace(trial, fingerprint=own.fingerprint, label=own.label, started_at=own.started_at)
    _put(connection, trial, own)


def read_sweep_trials(connection: Connection, sweep: int) -> list[SweepTrial]:
    """Return the trials of a sweep by number."""
    trials = [_trial_of(row) for row in _rows(connection, sweep_trials.c.sweep == sweep)]
    return sorted(trials, key=lambda trial: trial.number or 0)


def _rows(connection: Connection, condition: Any) -> list[Row[Any]]:
    return list(connection.execute(select(sweep_trials).where(condition).order_by(sweep_trials.c.seq)))


def _find_in_sweep(connection: Connection, trial: SweepTrial) -> SweepTrial | None:
    if trial.sweep is None:
        return None
    columns = sweep_trials.c
    row = connection.execute(
        select(sweep_trials).where(columns.sweep == trial.sweep, columns.number == trial.number)
    ).first()
    return None if row is None else _trial_of(row)


def _put(connection: Connection, trial: SweepTrial, own: SweepTrial | None) -> SweepTrial:
    """Insert a trial, or replace the row that its number in the sweep has already."""
    if own is None:
        numbered = replace(trial, seq=next_number(connection, "sweep_trials"))
        connection.execute(insert(sweep_trials).values(**_row_values(numbered)))
        return numbered
    n_attempts = own.attempt + (trial.state == "running")
    replaced = replace(trial, seq=own.seq, attempt=n_attempts)
    connection.execute(update(sweep_trials).where(sweep_trials.c.seq == own.seq).values(**_row_values(replaced)))
    return replaced


def _row_values(trial: SweepTrial) -> dict[str, Any]:
    values = asdict(trial)
    return {
        **values,
        "overrides": canonical_json(list(trial.overrides)),
        "metrics": canonical_json(dict(trial.metrics)),
    }


def _trial_of(row: Row[Any]) -> SweepTrial:
    values = {**row._asdict(), "overrides": tuple(json.loads(row.overrides)), "metrics": json.loads(row.metrics)}
    return SweepTrial(**values)
