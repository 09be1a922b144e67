"""A retrain goes on from its stored state, waits for a person where gates are open, and steps back behind people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.retraining.retrain_steps import approve_retrain, discard_retrain, run_retrain
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME
from tests.pipeline.retraining.retrain_fixtures import context_of, evaluated_retrain, make_repository, set_stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(project: Path) -> Path:
    make_repository(project)
    return project


def test_a_candidate_that_passed_goes_on_trial_once(repository: Path) -> None:
    retrain = evaluated_retrain(repository)
    with context_of(repository) as context:
        opened = run_retrain(context, retrain)
        assert (opened.state, opened.version, opened.trial) == ("on_trial", 2, 1)
        with pytest.raises(Conflict, match="retrain 1 left state committed meanwhile"):
            run_retrain(context, retrain)
        with context.state.reading() as connection:
            assert len(store.read_trials(connection, MODEL_NAME)) == 1
            assert store.verify_audit_chain(connection) == []


def test_a_person_approves_a_candidate_with_open_gates(repository: Path) -> None:
    retrain = evaluated_retrain(repository, fresh_verdict="needs_decision", result="hold")
    with context_of(repository) as context:
        waiting = run_retrain(context, retrain)
        assert waiting.state == "needs_decision"
        approved = run_retrain(context, approve_retrain(context, waiting))
        assert (approved.state, approved.decided_by) == ("on_trial", "ada")
        with pytest.raises(Conflict, match="is in state on_trial; expected asked or needs_decision"):
            approve_retrain(context, approved)
        with pytest.raises(Conflict, match="is at its end"):
            discard_retrain(context, approved, reason="late")


def test_a_discarded_retrain_names_who_and_why(repository: Path) -> None:
    retrain = evaluated_retrain(repository, state="needs_decision")
    with context_of(repository) as context:
        discarded = discard_retrain(context, retrain, reason="labels are wrong")
    assert (discarded.state, discarded.decided_by, discarded.error) == ("discarded", "ada", "labels are wrong")


def test_a_promotion_by_a_person_meanwhile_ends_the_retrain(repository: Path) -> None:
    retrain = evaluated_retrain(repository)
    set_stage(repository, 2, "Production")
    with context_of(repository) as context:
        ended = run_retrain(context, retrain)
        with context.state.reading() as connection:
            assert store.current_deployment(connection, MODEL_NAME).version("Production") == 2
    assert (ended.state, "version 1 is no longer in Production" in str(ended.error)) == ("failed", True)


def test_a_stopped_loop_leaves_the_state(repository: Path) -> None:
    retrain = evaluated_retrain(repository)
    with context_of(repository) as context, pytest.raises(Conflict, match="stopped in state committed"):
        run_retrain(replace(context, should_stop=lambda: True), retrain)
