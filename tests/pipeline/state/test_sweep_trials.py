"""A configuration is of one worker at a time, and its result is read again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.state import sweep_trials

if TYPE_CHECKING:
    from pipeline import state as store

SWEEP = sweep_trials.StoredSweep("outputs/sweeps/a", ("model", "seed"), 2, "log_loss", started_at=1, parent_run="run-1")
TRIAL = sweep_trials.SweepTrial(
    label="model=knn",
    overrides=("model=knn", "seed=1"),
    metric="log_loss",
    worker="first",
    started_at=100,
    expires_at=200,
    sweep=1,
    number=0,
    fingerprint="f1",
)


def claim(state: store.State, trial: sweep_trials.SweepTrial, *, gone: tuple[str, ...] = ()) -> sweep_trials.TrialClaim:
    with state.writing() as connection:
        return sweep_trials.claim_trial(connection, trial, is_gone=gone.__contains__)


def end(state: store.State, trial: sweep_trials.SweepTrial, value: float = 0.25) -> bool:
    with state.writing() as connection:
        return sweep_trials.end_trial(
            connection, replace(trial, state="finished", value=value, metrics={"log_loss": value}, run_key="r")
        )


def trials(state: store.State, sweep: int = 1) -> list[sweep_trials.SweepTrial]:
    with state.reading() as connection:
        return sweep_trials.read_sweep_trials(connection, sweep)


def test_a_sweep_is_read_back_as_written(state: store.State) -> None:
    with state.writing() as connection:
        added = sweep_trials.add_sweep(connection, SWEEP)
        sweep_trials.update_sweep(connection, added.seq, stop_reason="no rows")
    with state.reading() as connection:
        assert sweep_trials.find_sweep(connection, added.seq) == replace(SWEEP, seq=1, stop_reason="no rows")
        assert sweep_trials.find_sweep(connection, 2) is None


def test_a_running_configuration_is_of_its_worker(state: store.State) -> None:
    own = claim(state, TRIAL)
    assert own.is_own
    other = claim(state, replace(TRIAL, worker="second", sweep=2))
    assert other == sweep_trials.TrialClaim(own.trial, is_own=False)


@pytest.mark.parametrize("sweep", [1, 2, None])
@pytest.mark.parametrize(("at", "gone"), [(201, ()), (150, ("first",))])
def test_a_configuration_of_a_lost_worker_is_claimed_again(
    state: store.State, sweep: int | None, at: int, gone: tuple[str, ...]
) -> None:
    lost = claim(state, TRIAL).trial
    second = claim(state, replace(TRIAL, worker="second", sweep=sweep, started_at=at, expires_at=300), gone=gone)
    assert second.is_own
    assert second.trial.attempt == (2 if sweep == 1 else 1)
    assert not end(state, lost)
    assert end(state, second.trial)
    assert trials(state)[0].state == ("finished" if sweep == 1 else "failed")


def test_a_finished_configuration_gives_its_result_and_names_its_source(state: store.State) -> None:
    first = claim(state, TRIAL).trial
    assert end(state, first)
    again = claim(state, replace(TRIAL, sweep=2, number=5))
    assert (again.is_own, again.trial.value, again.trial.copied_from) == (False, 0.25, first.seq)
    third = claim(state, replace(TRIAL, sweep=3))
    assert third.trial.copied_from == first.seq
    assert claim(state, TRIAL).trial == trials(state)[0]
    assert not trials(state)[0].was_recorded


def test_a_copy_of_a_copy_names_the_trial_that_computed_the_result(state: store.State) -> None:
    with state.writing() as connection:
        sweep_trials.fail_sweep_trial(connection, replace(TRIAL, state="failed", error="it diverged"))
    computed = claim(state, replace(TRIAL, sweep=2)).trial
    assert end(state, computed)
    copy = claim(state, TRIAL).trial
    assert (copy.seq, copy.copied_from) == (1, computed.seq)
    assert claim(state, replace(TRIAL, sweep=3)).trial.copied_from == computed.seq


def test_a_failed_configuration_runs_again(state: store.State) -> None:
    own = claim(state, TRIAL).trial
    with state.writing() as connection:
        sweep_trials.fail_sweep_trial(connection, replace(TRIAL, state="failed", error="it diverged", fingerprint=None))
    (failed,) = trials(state)
    assert (failed.error, failed.fingerprint) == ("it diverged", own.fingerprint)
    assert claim(state, replace(TRIAL, sweep=2)).is_own


def test_the_failure_of_a_lost_worker_does_not_end_the_trial_of_the_next(state: store.State) -> None:
    claim(state, TRIAL)
    claim(state, replace(TRIAL, worker="second", started_at=201, expires_at=300))
    with state.writing() as connection:
        sweep_trials.fail_sweep_trial(connection, replace(TRIAL, state="failed", error="it diverged"))
    assert [(trial.state, trial.worker) for trial in trials(state)] == [("running", "second")]


def test_a_renewed_claim_expires_later(state: store.State) -> None:
    own = claim(state, TRIAL).trial
    with state.writing() as connection:
        sweep_trials.renew_trial_claim(connection, own, expires_at=400)
    assert not claim(state, replace(TRIAL, worker="second", started_at=300)).is_own
    assert claim(state, replace(TRIAL, worker="second", started_at=400)).is_own
