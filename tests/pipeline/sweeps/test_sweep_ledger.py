"""The ledger of a project: one worker a configuration, results in order, and the table of a sweep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.config.hydra_job import HydraJob, SweepPlan, TrialBusy
from pipeline.errors import DependencyUnavailable
from pipeline.state import sweep_trials
from pipeline.sweeps.hydra_callback import sweep_summary
from pipeline.sweeps.sweep_ledger import SweepLedger, open_ledger
from pipeline.sweeps.trial import trial_line
from tests.fixtures.open_connections import take_leaked_connections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAN = SweepPlan("outputs/sweeps/a", ("model",), 3, "minimize", "log_loss")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SweepLedger]:
    state = store.open_state(tmp_path)
    yield SweepLedger(state)
    state.close()


def job(number: int, sweep: int = 1, *, waits: bool = False) -> HydraJob:
    return HydraJob((f"model.estimator.C={number}",), number, sweep, waits)


def finish(ledger: SweepLedger, number: int, value: float, *, sweep: int = 1, metric: str = "log_loss") -> None:
    trial = ledger.claim(job(number, sweep), f"f{number}", label=f"C={number}", metric=metric)
    with ledger.renewing(trial):
        ledger.finish(trial, {metric: value}, std=0.01, run=f"{number}234567890")


def test_trials_are_read_from_the_worst_to_the_best(ledger: SweepLedger) -> None:
    for metric, order in (("log_loss", [0.3, 0.2, 0.1]), ("roc_auc", [0.1, 0.2, 0.3])):
        sweep = ledger.start_sweep(PLAN, parent_run=None)
        for number, value in enumerate([0.3, 0.1, 0.2]):
            finish(ledger, 10 * sweep + number, value, sweep=sweep, metric=metric)
        assert [trial.value for trial in ledger.progress(sweep).results] == order


def test_a_configuration_that_another_trial_runs_is_busy(ledger: SweepLedger) -> None:
    sweep = ledger.start_sweep(PLAN, parent_run=None)
    ledger.claim(job(0, sweep), "same", label="C=0", metric="log_loss")
    with pytest.raises(TrialBusy, match=r"trial 1: process \d+ of .* runs the same configuration"):
        ledger.claim(job(1, sweep), "same", label="C=1", metric="log_loss")


def test_a_failed_fit_leaves_its_configuration_to_the_next_trial(ledger: SweepLedger) -> None:
    sweep = ledger.start_sweep(PLAN, parent_run=None)
    trial = ledger.claim(job(0, sweep), "same", label="C=0", metric="log_loss")
    with pytest.raises(ValueError, match="it diverged"), ledger.renewing(trial):
        raise ValueError("it diverged")
    assert ledger.claim(job(1, sweep), "same", label="C=1", metric="log_loss").state == "running"


def test_a_failure_is_recorded_and_stops_the_sweep_on_request(ledger: SweepLedger) -> None:
    sweep = ledger.start_sweep(PLAN, parent_run="run-1")
    ledger.record_failure(job(2, sweep), "no rows", stop=False)
    assert ledger.find_sweep(sweep).stop_reason is None
    ledger.record_failure(job(2, sweep), "no rows", stop=True)
    progress = ledger.progress(sweep)
    assert progress.sweep.stop_reason == "no rows"
    assert [(failure.number, failure.overrides, failure.error) for failure in progress.failures] == [
        (2, ("model.estimator.C=2",), "no rows")
    ]


def test_another_database_than_that_of_the_sweep_is_named(ledger: SweepLedger) -> None:
    with pytest.raises(DependencyUnavailable, match=r"has no sweep 7; .* set MLOPS_STATE_URL where the workers start"):
        ledger.find_sweep(7)


def test_the_summary_lists_failures_first_and_the_best_trial_last(ledger: SweepLedger) -> None:
    sweep = ledger.start_sweep(PLAN, parent_run=None)
    finish(ledger, 1, 0.125)
    finish(ledger, 0, 0.25)
    ledger.record_failure(job(2, sweep), "it diverged", stop=False)
    lines = sweep_summary(ledger.progress(sweep)).splitlines()
    assert lines[2].split() == ["2", "failed", "model.estimator.C=2"]
    assert [line.split()[0] for line in lines[3:5]] == ["0", "1"]
    assert lines[5:] == [
        "2 finished (0 already known), 1 failed",
        "  [2] it diverged",
        "The last trial is the best; adopt it with `mlops tracking adopt 12345678 --as NAME`.",
    ]


def test_a_line_of_a_trial_has_objective_and_duration() -> None:
    trial = sweep_trials.SweepTrial("model=knn", (), "log_loss", "", 0, 0, value=0.25, std=0.01)
    assert trial_line(trial, duration_s=1.54) == "model=knn: log_loss 0.25000 +- 0.01000 (1.5 s)"
    known = replace(trial, std=None, copied_from=1)
    assert trial_line(known, duration_s=0) == "model=knn: log_loss 0.25000 (already known)"


def test_the_ledger_of_an_earlier_project_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        open_ledger()
    assert take_leaked_connections() == []
