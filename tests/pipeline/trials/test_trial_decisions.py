"""A verdict in a project uses the settings of the trial and counts the trials that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.state import DAY_US
from pipeline.trials import current_verdict, read_comparison, stop_trial, update_comparison
from tests.pipeline.monitoring.log_fixtures import NOW
from tests.pipeline.trials.trial_fixtures import (
    lifecycle_settings,
    log_with_outcomes,
    open_trial,
    package_store,
    state_at,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_the_verdict_uses_the_settings_of_the_trial(project: Path) -> None:
    log_with_outcomes(project, 90)
    trial = open_trial(project, lifecycle_settings(trial_alpha=0.2, trial_metric="brier"))
    with state_at(project) as state:
        verdict = current_verdict(state, trial, update_comparison(state, package_store(project), trial))
    assert (verdict.verdict, verdict.metric, verdict.n_challengers) == ("open", "brier", 1)


def test_the_verdict_of_a_decided_trial_stays_as_it_was(project: Path) -> None:
    log_with_outcomes(project, 90)
    trial = open_trial(project)
    with state_at(project) as state:
        before = current_verdict(state, trial, update_comparison(state, package_store(project), trial))
        stopped = stop_trial(state, trial.seq, actor="ada", reason="a test")
    with state_at(project, NOW + 40 * DAY_US) as state:
        assert current_verdict(state, stopped, read_comparison(state, stopped)) == before
