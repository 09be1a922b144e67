"""A trial is opened against Production for models that the log can compare, and a person can stop it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.errors import Conflict, UsageError
from pipeline.trials import TrialRequest, start_trial, stop_trial
from pipeline.trials.trial_actions import fresh_from
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, NOW
from tests.pipeline.trials.trial_fixtures import lifecycle_settings, open_trial, package_store, state_at

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.state import TrialMethod
    from pipeline.trials import ModelPair


def test_a_trial_holds_the_settings_that_it_was_opened_with(project: Path) -> None:
    config = lifecycle_settings(trial_alpha=0.01)
    trial = open_trial(project, config)
    assert (trial.champion, trial.challenger, trial.state, trial.share) == (1, 2, "comparing", 0.0)
    assert trial.settings["trial"]["alpha"] == 0.01
    with state_at(project) as state, state.reading() as connection:
        assert store.find_trial(connection, trial.seq) == trial


@pytest.mark.parametrize(("challenger", "message"), [(1, "version 1 is in Production"), (9, "has no version 9")])
def test_a_version_that_cannot_challenge_is_refused(project: Path, challenger: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_trial(project, challenger=challenger)


def test_more_trials_than_allowed_are_refused(project: Path) -> None:
    with pytest.raises(UsageError, match="0 trials are open"):
        open_trial(project, lifecycle_settings(trial_max_challengers=0))


def test_a_split_takes_traffic_at_once_and_alone(project: Path) -> None:
    request = TrialRequest(MODEL_NAME, 2, "ada", method="split", share=0.2, fresh_from=0)
    with state_at(project) as state:
        trial = start_trial(state, package_store(project), lifecycle_settings(), request)
        assert (trial.state, trial.share, trial.fresh_from) == ("split", 0.2, NOW)
        with pytest.raises(Conflict, match=f"trial {trial.seq} takes traffic, and one at a time does"):
            start_trial(state, package_store(project), lifecycle_settings(), request)


@pytest.mark.parametrize(
    ("method", "share", "message"),
    [("replay", 0.2, "pass --method split"), ("split", 1.0, "share of the requests between")],
)
def test_a_share_without_meaning_is_refused(project: Path, method: TrialMethod, share: float, message: str) -> None:
    request = TrialRequest(MODEL_NAME, 2, "ada", method=method, share=share)
    with state_at(project) as state, pytest.raises(UsageError, match=message):
        start_trial(state, package_store(project), lifecycle_settings(), request)


def test_a_snapshot_ends_what_a_model_learned_from(project: Path, pair: ModelPair) -> None:
    with state_at(project) as state, state.reading() as connection:
        version = store.find_version(connection, MODEL_NAME, 2)
    assert fresh_from(version, pair.challenger) == version.registered_at
    snapshot = replace(pair.challenger, lineage={**pair.challenger.lineage, "source": {"until": 5}})
    assert fresh_from(version, snapshot) == 5


def test_a_stopped_trial_is_aborted_once_with_a_reason(project: Path) -> None:
    trial = open_trial(project)
    with state_at(project) as state:
        with pytest.raises(UsageError, match="needs a reason"):
            stop_trial(state, trial.seq, actor="ada", reason=" ")
        stopped = stop_trial(state, trial.seq, actor="ada", reason="no longer of interest")
        assert (stopped.state, stopped.decided_at) == ("aborted", NOW)
        with pytest.raises(Conflict, match=f"trial {trial.seq} is already aborted"):
            stop_trial(state, trial.seq, actor="ada", reason="again")
        with state.reading() as connection:
            last = store.read_audit_entries(connection, model=MODEL_NAME)[-1]
    assert (last.actor, last.action, last.reason) == ("ada", "trial aborted", "no longer of interest")
