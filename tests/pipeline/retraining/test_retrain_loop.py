"""The loop asks for a retrain, waits for a person, and gives the reason where nothing happens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.retraining.retrain_loop import advance_retrains
from pipeline.retraining.retrain_steps import approve_retrain, run_step
from tests.app.loop_history import make_trial
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, NOW
from tests.pipeline.retraining.retrain_fixtures import (
    context_of,
    evaluated_retrain,
    git,
    log_labels,
    make_repository,
    record_degradation,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.state import LoopDecision

DAY_US = 24 * store.HOUR_US


@pytest.fixture
def repository(project: Path) -> Path:
    make_repository(project)
    return project


def advance(root: Path, **changes: object) -> LoopDecision:
    with context_of(root, mode="advise", **changes) as context:  # type: ignore[arg-type]
        return advance_retrains(context)[-1]


def test_without_a_cause_nothing_happens_with_the_reason(repository: Path) -> None:
    record_degradation(repository, verdict="ok")
    decision = advance(repository)
    assert (decision.subject, decision.action) == ("retraining", "none")
    assert "no metric became significantly worse" in decision.reason


def test_advice_is_one_proposal_that_waits_for_a_person(repository: Path) -> None:
    record_degradation(repository)
    log_labels(repository, 120)
    first, second = advance(repository, min_labels=100), advance(repository, min_labels=100)
    assert (first.subject, first.action) == ("retrain 1", "propose retrain")
    assert "log_loss became significantly worse; `mlops retrain approve 1` starts it" in first.reason
    assert (second.action, "waits for a person" in second.reason) == ("none", True)
    assert git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1


def test_a_wrong_caller_holds_the_retrain_and_is_named(repository: Path) -> None:
    record_degradation(repository)
    log_labels(repository, 600, wrong=0.4)
    decision = advance(repository, labels__max_caller_share=0.6)
    assert (decision.subject, decision.action, decision.error) == ("labels", "hold", "GateRefused")
    assert "caller ada contradicts" in decision.reason
    assert 'skip_callers: ["ada"]' in decision.reason


def test_wrong_labels_that_arrive_before_the_approval_hold_the_retrain(repository: Path) -> None:
    record_degradation(repository)
    log_labels(repository, 120)
    assert advance(repository, min_labels=100).action == "propose retrain"
    log_labels(repository, 600, seed=6, wrong=0.4)
    with context_of(repository, labels__max_caller_share=0.6) as context:
        with context.state.reading() as connection:
            asked = store.find_retrain(connection, 1)
        ended = run_step(context, approve_retrain(context, asked))
    assert (ended.state, "caller ada contradicts" in str(ended.error)) == ("refused", True)


def test_labels_of_a_skipped_caller_do_not_count(repository: Path) -> None:
    record_degradation(repository)
    log_labels(repository, 600, wrong=0.4)
    reason = advance(repository, labels__skip_callers=["ada"], min_labels=301).reason
    assert "300 of at least 301 labels arrived" in reason


def test_uncommitted_settings_are_a_conflict(repository: Path) -> None:
    record_degradation(repository)
    log_labels(repository, 120)
    (repository / "conf/new.yaml").touch()
    decision = advance(repository, min_labels=100)
    assert (decision.action, decision.error) == ("none", "Conflict")


def test_without_a_checkout_the_loop_asks_and_another_one_carries_it_out(project: Path) -> None:
    record_degradation(project)
    log_labels(project, 120)
    assert advance(project, min_labels=100).action == "propose retrain"
    with context_of(project, mode="act") as context:
        (decision,) = advance_retrains(context)
        with context.state.reading() as connection:
            (retrain,) = store.read_retrains(connection, MODEL_NAME)
    assert (decision.action, decision.error, retrain.state) == ("none", "", "approved")
    assert "runs where the git checkout is: `mlops loop --once` there continues it" in decision.reason


def test_a_mode_of_off_does_nothing(repository: Path) -> None:
    record_degradation(repository)
    with context_of(repository, mode="off") as context:
        assert advance_retrains(context) == []


def test_the_branch_of_a_discarded_candidate_is_deleted_after_30_days(repository: Path) -> None:
    git(repository, "branch", "retrain/m/1")
    retrain = evaluated_retrain(repository, branch="retrain/m/1")
    with context_of(repository) as context, context.state.writing() as connection:
        discarded = replace(retrain, state="discarded", commit_sha=git(repository, "rev-parse", "retrain/m/1"))
        store.update_retrain(connection, retrain, discarded, actor="ada")
    for days, branches in ((29, "main\nretrain/m/1"), (31, "main")):
        with context_of(repository, mode="advise", at=NOW + days * DAY_US) as context:
            advance_retrains(context)
        assert git(repository, "branch", "--format=%(refname:short)") == branches


def test_a_candidate_with_open_gates_waits_and_one_that_passed_goes_on_trial(repository: Path) -> None:
    evaluated_retrain(repository, fresh_verdict="needs_decision", result="hold")
    assert "waits for a person" in advance(repository).reason
    with context_of(repository) as context, context.state.reading() as connection:
        (retrain,) = store.read_retrains(connection, MODEL_NAME)
        assert retrain.state == "needs_decision"
        assert store.read_trials(connection, MODEL_NAME) == []


def test_while_a_candidate_is_on_trial_no_other_retrain_is_asked_for(repository: Path) -> None:
    record_degradation(repository)
    log_labels(repository, 120)
    with context_of(repository) as context, context.state.writing() as connection:
        trial = store.add_trial(connection, make_trial(MODEL_NAME, NOW), store.AuditEvent("ada", "open trial", NOW, ""))
        retrain = store.Retrain(MODEL_NAME, "person", NOW, "ada", NOW, state="on_trial", trial=trial.seq)
        store.add_retrain(connection, retrain)
    decision = advance(repository, min_labels=100)
    assert (decision.action, "the candidate of retrain 1 is on trial 1" in decision.reason) == ("none", True)
