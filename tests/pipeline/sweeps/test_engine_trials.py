"""Sweeps on engines: a killed worker and a killed command lose no trial, and no configuration is fitted twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.config.hydra_app import HydraTask
from pipeline.config.hydra_job import ComposedTrial, HydraJob
from pipeline.errors import ConfigError, DependencyUnavailable
from pipeline.state.sweep_trials import SweepTrial, read_sweep_trials
from pipeline.sweeps.engine_trials import EngineTrial, LedgerSweepRunner, run_engine_trial
from pipeline.tracking.run_process import RunProcess, current_process
from tests.fixtures import postgresql_server
from tests.fixtures.forked_programs import environment_with_forks
from tests.fixtures.proof import proof_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.config.groups.engine_config import DaskEngineConfig
    from tests.pipeline.sweeps.sweep_project import Project

pytestmark = [pytest.mark.xdist_group("clusters"), pytest.mark.usefixtures("starts_processes")]

WARM_WORKERS = True
N_TRIALS = proof_rounds(4, long=20)
SWEEP = (
    "-m",
    "model=logistic_regression",
    f"model.estimator.C={','.join(str(number) for number in range(1, N_TRIALS + 1))}",
)
_TIMEOUT_S = 200


def trials_of(project: Project, sweep: int) -> list[SweepTrial]:
    with closing(store.open_state(project.root)) as state, state.reading() as connection:
        return read_sweep_trials(connection, sweep)


def values_of(trials: Sequence[SweepTrial]) -> dict[int | None, float | None]:
    return {trial.number: trial.value for trial in trials}


def wait_for(project: Project, process: subprocess.Popen[str], condition: Callable[[list[SweepTrial]], bool]) -> None:
    """Poll the ledger until a condition holds for the first sweep."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition(trials_of(project, 1)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, trials_of(project, 1)
        time.sleep(0.02)


def start_sweep(project: Project, *, launcher: str = "dask") -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["python", "-m", "stages.train", *SWEEP, f"hydra/launcher={launcher}"],
        cwd=project.root,
        env=environment_with_forks(project.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_worker(project: Project) -> None:
    """Kill the process that runs a trial now."""
    while True:
        for trial in trials_of(project, 1):
            process = RunProcess.from_tag(trial.worker)
            if trial.state == "running" and process is not None:
                os.kill(process.pid, signal.SIGKILL)
                return
        time.sleep(0.02)


def is_under_way(trials: list[SweepTrial]) -> bool:
    return any(trial.state == "finished" for trial in trials)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_killed_worker_and_a_killed_command_lose_no_trial_on_a_cluster(
    project: Project, dask_config: DaskEngineConfig
) -> None:
    serial = project.copy("serial")
    serial.train(*SWEEP)
    expected = values_of(trials_of(serial, 1))

    process = start_sweep(project)
    wait_for(project, process, is_under_way)
    kill_worker(project)
    printed, errors = process.communicate(timeout=_TIMEOUT_S)
    assert f"{N_TRIALS} finished (0 already known), 0 failed" in printed, errors
    trials = trials_of(project, 1)
    assert values_of(trials) == expected
    assert len({trial.fingerprint for trial in trials}) == N_TRIALS
    assert max(trial.attempt for trial in trials) == 2
    assert len(project.runs("trial")) == N_TRIALS

    other = project.copy("other", without=("state", "mlflow.db", "mlruns", "outputs"))
    stopped = start_sweep(other)
    wait_for(other, stopped, is_under_way)
    stopped.kill()
    stopped.communicate()  # until the fork is gone, too
    known = sum(trial.state == "finished" for trial in trials_of(other, 1))
    printed = other.train(*SWEEP, "hydra/launcher=dask")
    again = trials_of(other, 2)
    assert values_of(again) == expected
    assert f"{N_TRIALS} finished (" in printed
    assert sum(trial.was_recorded for trial in again) >= known
    fitted = [trial for trial in (*trials_of(other, 1), *again) if trial.state == "finished" and not trial.was_recorded]
    assert len(fitted) == len({trial.fingerprint for trial in fitted}) == N_TRIALS


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_folds_on_a_cluster_give_the_same_bits(project: Project, dask_config: DaskEngineConfig) -> None:
    project.train("model=hist_gradient_boosting", "training.calibration=sigmoid")
    copy = project.copy("other", without=("state", "mlflow.db", "mlruns"))
    copy.train("model=hist_gradient_boosting", "training.calibration=sigmoid", "engine=dask")
    (alone,), (on_cluster,) = project.runs("trial"), copy.runs("trial")
    assert on_cluster.metrics == alone.metrics


def test_failures_and_duplicates_of_an_engine_are_recorded(project: Project) -> None:
    overrides = ("-m", "model=naive_bayes", "training.folds=1,2,2", "hydra/launcher=local")
    printed = project.train(*overrides)
    assert "2 finished (1 already known), 1 failed" in printed
    assert printed.count("training.folds: found 1") == 2, "once when it happens, and in the table"


def test_the_first_failure_ends_a_sweep_of_an_engine_by_choice(project: Project) -> None:
    overrides = ("-m", "model=naive_bayes", "training.folds=1,2", "hydra/launcher=local")
    printed = project.train(*overrides, "tracking.fail_fast=true", expect=3)
    assert "0 finished (0 already known), 1 failed" in printed
    assert [trial.state for trial in trials_of(project, 1)] == ["failed"]


def test_two_commands_share_the_trials_of_equal_sweeps(project: Project) -> None:
    commands = [start_sweep(project, launcher="local") for _ in range(2)]
    for command in commands:
        printed, errors = command.communicate(timeout=_TIMEOUT_S)
        assert f"{N_TRIALS} finished (" in printed, errors
    first, second = trials_of(project, 1), trials_of(project, 2)
    assert values_of(first) == values_of(second)
    assert sum(not trial.was_recorded for trial in (*first, *second)) == N_TRIALS


def test_optuna_searches_by_an_engine(project: Project) -> None:
    overrides = ("-m", "hparams_search=logistic_regression", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=2")
    printed = project.train(*overrides, "hydra/launcher=local")
    assert "2 finished (0 already known), 0 failed" in printed
    assert "2 finished (2 already known), 0 failed" in project.train(*overrides)


def trial_of_another_machine(root: Path, *, host: str = "elsewhere 1") -> EngineTrial:
    values = {"tracking": {"uri_env": "MLFLOW_TRACKING_URI"}}
    return EngineTrial(ComposedTrial(HydraJob((), 0, 1), values, stop=False), str(root), host)


def refuse_to_run(_: object) -> float:
    raise AssertionError("the trial ran")


TASK = HydraTask(refuse_to_run, LedgerSweepRunner())


def test_a_worker_without_the_folder_of_the_project_is_refused(tmp_path: Path) -> None:
    trial = trial_of_another_machine(tmp_path / "absent", host=current_process().host)
    with pytest.raises(DependencyUnavailable, match=r"absent: the worker on .* has no such folder .* under this path"):
        run_engine_trial(TASK, trial)


def test_a_worker_of_another_machine_writes_no_file_of_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    with pytest.raises(ConfigError, match=r"SQLite state database of another machine; set MLOPS_STATE_URL to"):
        run_engine_trial(TASK, trial_of_another_machine(tmp_path))


def test_a_worker_of_another_machine_needs_a_server_of_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(store.STATE_URL_ENV, postgresql_server.new_database(postgresql))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match=r"mlflow\.db of another machine; set MLFLOW_TRACKING_URI to a server"):
        run_engine_trial(TASK, trial_of_another_machine(tmp_path))
