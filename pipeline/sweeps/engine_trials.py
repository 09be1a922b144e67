"""Run the trials of a sweep on an engine: a worker runs one at a time, and none runs twice at the same time."""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.hydra_job import TrialBusy, running_as
from pipeline.engines import open_engine
from pipeline.errors import ConfigError, DependencyUnavailable
from pipeline.state import STATE_URL_ENV
from pipeline.sweeps.sweep_ledger import open_ledger
from pipeline.tracking.run_process import current_process
from pipeline.tracking.run_store import DATABASE_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config.groups.engine_config import PartEngineConfig
    from pipeline.config.hydra_job import ComposedTrial, HydraJob, TrialTask

__all__ = ["EngineTrial", "LedgerSweepRunner", "TrialResult", "run_engine_trial", "run_trials"]

# Trials of one process would share limits of native threads, the working folder and what is printed.
_one_trial = threading.Lock()


@dataclass(frozen=True, slots=True)
class EngineTrial:
    """A trial for a worker: its settings, the folder of the project, and the machine of the command."""

    composed: ComposedTrial
    root: str
    host: str


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a worker returns: the objective, None for a failed trial, and what it printed."""

    value: float | None
    printed: str
    is_busy: bool = False


class LedgerSweepRunner:
    """Records trials in the ledger of the project; it has no state, so that each process has its own."""

    def run_on_engine(
        self, task: TrialTask, trials: Sequence[ComposedTrial], config: PartEngineConfig
    ) -> dict[int, float | None]:
        """Run trials on an engine and return the objective by number; None for a failed one."""
        return run_trials(task, trials, config)

    def record_failure(self, job: HydraJob, message: str, *, stop: bool) -> None:
        """Record the failure of a trial; with `stop`, later trials do not run."""
        open_ledger().record_failure(job, message, stop=stop)

    def stop_reason(self, sweep: int) -> str | None:
        """Return why a sweep was stopped; None if it was not."""
        return open_ledger().find_sweep(sweep).stop_reason

    def failure_of_all(self, sweep: int) -> str | None:
        """Return the first failure of a sweep in which every trial failed; None otherwise."""
        progress = open_ledger().progress(sweep)
        return progress.failures[0].error if progress.failures and not progress.results else None


def run_trials(task: TrialTask, trials: Sequence[ComposedTrial], config: PartEngineConfig) -> dict[int, float | None]:
    """Run trials and return the objective by number; None for a failed one.

    A configuration that another sweep runs now is left for the end, when its result is waited for.
    """
    root, host = str(Path.cwd()), current_process().host
    waiting = [EngineTrial(trial, root, host) for trial in trials]
    values: dict[int, float | None] = {}
    with open_engine(config) as engine:
        while waiting:
            busy = []
            for position, outcome in engine.map(partial(run_engine_trial, task), waiting, noun="trial"):
                sys.stdout.write(outcome.printed)
                sys.stdout.flush()
                if outcome.is_busy:
                    busy.append(_that_waits(waiting[position]))
                else:
                    values[waiting[position].composed.job.number or 0] = outcome.value
            waiting = busy
    return values


def _that_waits(trial: EngineTrial) -> EngineTrial:
    job = replace(trial.composed.job, waits=True)
    return replace(trial, composed=replace(trial.composed, job=job))


def run_engine_trial(task: TrialTask, trial: EngineTrial) -> TrialResult:
    """Run a trial in a worker, in the folder of the project.

    Raises
    ------
    ConfigError
        When the sweep was stopped by a failure.
    DependencyUnavailable
        When the worker lacks the folder, or would write an SQLite file of another machine.
    """
    composed, printed = trial.composed, io.StringIO()
    with _one_trial:
        _enter_project(trial)
        try:
            with redirect_stdout(printed), redirect_stderr(printed), running_as(composed.job):
                value = task.run(lambda: composed.values, composed.job, stop=composed.stop)
        except TrialBusy:
            return TrialResult(None, "", is_busy=True)
    return TrialResult(value, printed.getvalue())


def _enter_project(trial: EngineTrial) -> None:
    host = current_process().host
    name = host.partition(" ")[0]
    if Path.cwd() != Path(trial.root):
        try:
            os.chdir(trial.root)
        except OSError as error:
            raise DependencyUnavailable(
                f"{trial.root}: the worker on {name} has no such folder ({error.strerror}); every worker needs the"
                " folder of the project, with its train rows, under this path"
            ) from error
    if host == trial.host:
        return
    if open_ledger().is_file:
        raise ConfigError(
            f"the worker on {name} would write the SQLite state database of another machine; set {STATE_URL_ENV} to"
            " a PostgreSQL database, for the command and for all workers"
        )
    uri_env = trial.composed.values["tracking"]["uri_env"]
    if not os.environ.get(uri_env, "").startswith(("http://", "https://")):
        raise ConfigError(
            f"the worker on {name} would write {DATABASE_FILE} of another machine; set {uri_env} to a server of"
            " MLflow, for the command and for all workers"
        )
