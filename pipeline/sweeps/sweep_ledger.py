"""The ledger of sweeps in the state database: which trial runs where, and what came out."""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.config.hydra_job import TrialBusy
from pipeline.errors import DependencyUnavailable, MlopsError
from pipeline.metrics import METRICS
from pipeline.project.root import find_project_root
from pipeline.state import sweep_trials
from pipeline.tracking.run_process import RunProcess, current_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.config.hydra_job import HydraJob, SweepPlan
    from pipeline.state import State
    from pipeline.state.sweep_trials import StoredSweep, SweepTrial

__all__ = ["SweepLedger", "SweepProgress", "open_ledger"]

_CLAIM_US = 60_000_000
_RENEW_EVERY_S = 20.0
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """A sweep and its trials so far: failures by number, results from the worst to the best."""

    sweep: StoredSweep
    failures: tuple[SweepTrial, ...]
    results: tuple[SweepTrial, ...]


def open_ledger() -> SweepLedger:
    """Return the ledger of the project; a process opens it once.

    Raises
    ------
    Conflict
        When the tables of the state database have another version.
    DependencyUnavailable
        When the state database is unavailable.
    """
    return _opened(find_project_root(), os.environ.get(store.STATE_URL_ENV), os.getpid())


@lru_cache(maxsize=1)
def _opened(root: Path, _address: str | None, pid: int) -> SweepLedger:
    state = store.open_state(root)
    ledger = SweepLedger(state)
    weakref.finalize(ledger, _close_where_opened, state, pid)
    return ledger


def _close_where_opened(state: State, pid: int) -> None:
    """Close the connections of a ledger that is no longer used, unless a fork shares them with their process."""
    if os.getpid() == pid:
        state.close()


class SweepLedger:
    """Sweeps and trials in one state database.

    Parameters
    ----------
    state : State
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def is_file(self) -> bool:
        """Whether the ledger is a file, which only programs of one machine may write."""
        return self._state.is_file

    def start_sweep(self, plan: SweepPlan, *, parent_run: str | None) -> int:
        """Add a sweep and return its number."""
        sweep = sweep_trials.StoredSweep(
            plan.folder, plan.varies, plan.n_jobs, plan.objective, self._state.clock(), parent_run=parent_run
        )
        with self._state.writing() as connection:
            return sweep_trials.add_sweep(connection, sweep).seq

    def end_sweep(self, sweep: int) -> None:
        """Record that no trial of a sweep follows."""
        with self._state.writing() as connection:
            sweep_trials.update_sweep(connection, sweep, ended_at=self._state.clock())

    def find_sweep(self, sweep: int) -> StoredSweep:
        """Return a sweep.

        Raises
        ------
        DependencyUnavailable
            When the database has none of this number: a worker with another database.
        """
        with self._state.reading() as connection:
            found = sweep_trials.find_sweep(connection, sweep)
        if found is None:
            raise DependencyUnavailable(
                f"{self._state.address}: has no sweep {sweep}; every worker needs the state database of the sweep:"
                f" set {store.STATE_URL_ENV} where the workers start"
            )
        return found

    def progress(self, sweep: int) -> SweepProgress:
        """Return a sweep and its trials so far."""
        found = self.find_sweep(sweep)
        with self._state.reading() as connection:
            trials = sweep_trials.read_sweep_trials(connection, sweep)
        results = [trial for trial in trials if trial.state == "finished" and trial.value is not None]
        return SweepProgress(
            found,
            tuple(trial for trial in trials if trial.state == "failed"),
            tuple(sorted(results, key=_badness, reverse=True)),
        )

    def record_failure(self, job: HydraJob, message: str, *, stop: bool) -> None:
        """Record the failure of a trial; with `stop`, later trials do not run."""
        now = self._state.clock()
        failed = replace(self._new_trial(job, " ".join(job.overrides), ""), state="failed", error=message, ended_at=now)
        with self._state.writing() as connection:
            sweep_trials.fail_sweep_trial(connection, failed)
            if stop and job.sweep is not None:
                sweep_trials.update_sweep(connection, job.sweep, stop_reason=message)

    def claim(self, job: HydraJob, fingerprint: str, *, label: str, metric: str) -> SweepTrial:
        """Return the trial of a job: running for this worker, or finished, with the result that is known.

        Raises
        ------
        TrialBusy
            When another worker runs the same configuration, and the job does not wait for it.
        """
        while True:
            wanted = replace(self._new_trial(job, label, metric), fingerprint=fingerprint)
            with self._state.writing() as connection:
                claim = sweep_trials.claim_trial(connection, wanted, is_gone=_is_gone)
            if claim.is_own or claim.trial.state == "finished":
                return claim.trial
            if not job.waits:
                raise TrialBusy(f"trial {job.number}: {_host(claim.trial.worker)} runs the same configuration")
            time.sleep(_LOOK_EVERY_S)

    def _new_trial(self, job: HydraJob, label: str, metric: str) -> SweepTrial:
        now = self._state.clock()
        return sweep_trials.SweepTrial(
            label=label,
            overrides=job.overrides,
            metric=metric,
            worker=current_process().as_tag(),
            started_at=now,
            expires_at=now + _CLAIM_US,
            sweep=job.sweep,
            number=job.number,
        )

    @contextmanager
    def renewing(self, trial: SweepTrial) -> Iterator[None]:
        """Renew the claim of a trial in the block, so that no other worker takes it; a failure releases it."""
        stop = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=(trial, stop), name="trial claim", daemon=True)
        thread.start()
        try:
            yield
        except BaseException as error:
            failed = replace(trial, state="failed", error=str(error) or type(error).__name__)
            with suppress(MlopsError):  # the claim ends by itself
                self._end(failed)
            raise
        finally:
            stop.set()
            thread.join()

    def _renew_until(self, trial: SweepTrial, stop: threading.Event) -> None:
        while not stop.wait(_RENEW_EVERY_S):
            with suppress(MlopsError), self._state.writing() as connection:
                sweep_trials.renew_trial_claim(connection, trial, expires_at=self._state.clock() + _CLAIM_US)

    def finish(self, trial: SweepTrial, metrics: Mapping[str, float], *, std: float | None, run: str) -> SweepTrial:
        """Store the result of a claimed trial and return it."""
        value = metrics[trial.metric]
        finished = replace(trial, state="finished", value=value, std=std, metrics=dict(metrics), run_key=run)
        return self._end(finished)

    def _end(self, trial: SweepTrial) -> SweepTrial:
        ended = replace(trial, ended_at=self._state.clock())
        with self._state.writing() as connection:
            sweep_trials.end_trial(connection, ended)
        return ended


def _badness(trial: SweepTrial) -> float:
    value = trial.value or 0.0
    return -value if METRICS[trial.metric].higher_is_better else value


def _is_gone(worker: str) -> bool:
    process = RunProcess.from_tag(worker)
    return process is not None and process.is_gone()


def _host(worker: str) -> str:
    process = RunProcess.from_tag(worker)
    return "another worker" if process is None else f"process {process.pid} of {process.host.partition(' ')[0]}"
