"""The loop carries a trial to Production and back, or waits for a person, whom it never overrules."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from pipeline import state as store
from pipeline.errors import Conflict, IntegrityError, UsageError
from pipeline.metrics.canary_guard import VariantCounts
from pipeline.registry.stage_transitions import promote_version, roll_back_version
from pipeline.state import HOUR_US, LoopContext
from pipeline.trials import advance_trials, approve_trial, is_stop_due
from tests.fixtures.toy_dataset import settings
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, NOW, live_rows
from tests.pipeline.trials.trial_fixtures import (
    lifecycle_settings,
    log_with_outcomes,
    open_trial,
    package_store,
    state_at,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.lifecycle_config import LifecycleConfig
    from pipeline.state import LoopDecision, LoopMode, Trial
    from pipeline.trials import ModelPair

STEP = {"share": 0.05, "min_hours": 1, "min_predictions": 0}


def _settings(**changes: Any) -> LifecycleConfig:
    """Return settings under which few hours decide; the challenger wins by any gain above -1."""
    config = lifecycle_settings(
        trial_min_units=5, trial_min_outcomes=20, trial_test="non_inferiority", trial_margin=1.0
    )
    canary = config.canary.model_validate({**config.canary.model_dump(), "steps": [STEP]})
    return config.model_copy(update={"canary": canary, **changes})


def _advance(root: Path, config: LifecycleConfig, *, mode: LoopMode = "act", at: int = NOW) -> LoopDecision:
    with state_at(root, at) as state:
        whole = settings().model_copy(update={"lifecycle": config})
        (decision,) = advance_trials(LoopContext(state, whole, root, now=at, mode=mode))
    return decision


def _trials(root: Path) -> list[Trial]:
    with state_at(root) as state, state.reading() as connection:
        return store.read_trials(connection, MODEL_NAME)


def _production(root: Path) -> int | None:
    with state_at(root) as state, state.reading() as connection:
        return store.current_deployment(connection, MODEL_NAME).version("Production")


@pytest.fixture
def logged(project: Path) -> Path:
    log_with_outcomes(project, 120)
    return project


def test_in_mode_act_a_win_goes_through_the_canary_to_production(logged: Path) -> None:
    config = _settings()
    open_trial(logged, config)
    assert _advance(logged, config).action == "canary"
    assert _advance(logged, config).action == "none"
    assert _advance(logged, config, at=NOW + HOUR_US).action == "promote"
    won, watch = _trials(logged)
    assert (_production(logged), won.state, won.share) == (2, "won", 0.0)
    assert (watch.purpose, watch.champion, watch.challenger, watch.opened_by) == ("watch", 2, 1, "loop")
    assert watch.settings["trial"]["max_days"] == config.watch.days
    assert (won.settings["trial"]["test"], watch.settings["trial"]["test"]) == ("non_inferiority", "superiority")
    with state_at(logged) as state, state.reading() as connection:
        assert store.find_undecided_changes(connection) == []


def test_in_mode_advise_the_canary_and_the_promotion_wait_for_a_person(logged: Path) -> None:
    config = _settings()
    seq = open_trial(logged, config).seq
    assert _advance(logged, config, mode="advise").action == "propose canary"
    waiting = _advance(logged, config, mode="advise")
    assert (waiting.action, f"`mlops trial approve {seq}`" in waiting.reason) == ("none", True)
    with state_at(logged) as state:
        assert approve_trial(state, package_store(logged), config, seq, actor="ada").state == "canary"
        with pytest.raises(UsageError, match="proposes nothing"):
            approve_trial(state, package_store(logged), config, seq, actor="ada")
    assert _advance(logged, config, mode="advise", at=NOW + HOUR_US).action == "propose promote"
    assert _production(logged) == 1
    with state_at(logged, NOW + HOUR_US) as state:
        approve_trial(state, package_store(logged), config, seq, actor="ada")
    assert _production(logged) == 2


def test_models_that_disagree_often_wait_for_a_person_in_mode_act(project: Path, pair: ModelPair) -> None:
    rows = live_rows(4_000)
    different = rows[pair.champion.predict(rows) != pair.challenger.predict(rows)]
    log_with_outcomes(project, 120, frame=different.sample(120, replace=True, random_state=0).reset_index(drop=True))
    config = _settings()
    open_trial(project, config)
    decision = _advance(project, config)
    assert (decision.action, decision.facts["verdict"]["disagreement"]) == ("propose canary", 1.0)


def _count(root: Path, trial: Trial, *, n_requests: int, n_errors: int = 0) -> None:
    """Write what a server counted of the challenger since the trial takes traffic."""
    durations = (n_requests,) + (0,) * (len(VariantCounts().durations) - 1)
    counts = (n_requests, n_errors, n_requests, durations, 0.1, NOW)
    with state_at(root) as state, state.writing() as connection:
        store.put_variant_traffic(connection, store.VariantTraffic(trial.seq, "a", "challenger", *counts))


def test_a_canary_step_counts_the_predictions_since_it_began(logged: Path) -> None:
    config = _settings()
    steps = [{**STEP, "min_predictions": 50}, {**STEP, "share": 0.5, "min_predictions": 50}]
    canary = config.canary.model_validate({**config.canary.model_dump(), "steps": steps})
    config = config.model_copy(update={"canary": canary})
    trial = open_trial(logged, config)
    assert _advance(logged, config).action == "canary"
    _count(logged, trial, n_requests=60)
    assert _advance(logged, config, at=NOW + HOUR_US).action == "canary"
    assert _advance(logged, config, at=NOW + 3 * HOUR_US).action == "none"
    _count(logged, trial, n_requests=110)
    with state_at(logged) as state:
        assert not is_stop_due(state, MODEL_NAME, now=NOW)
    assert _advance(logged, config, at=NOW + 3 * HOUR_US).action == "promote"


def test_a_promotion_that_waits_for_a_person_keeps_the_predictions_of_its_step(logged: Path) -> None:
    config = _settings()
    steps = [{**STEP, "min_predictions": 50}]
    canary = config.canary.model_validate({**config.canary.model_dump(), "steps": steps})
    config = config.model_copy(update={"canary": canary})
    trial = open_trial(logged, config)
    _advance(logged, config)
    _count(logged, trial, n_requests=60)
    assert _advance(logged, config, mode="advise", at=NOW + HOUR_US).action == "propose promote"
    waiting = _advance(logged, config, mode="advise", at=NOW + 30 * HOUR_US)
    assert f"promote waits for a person: `mlops trial approve {trial.seq}`" in waiting.reason


def test_a_challenger_that_a_server_stopped_meanwhile_cannot_be_approved(logged: Path) -> None:
    config = _settings()
    trial = open_trial(logged, config)
    _advance(logged, config)
    _count(logged, trial, n_requests=60)
    assert _advance(logged, config, mode="advise", at=NOW + HOUR_US).action == "propose promote"
    _count(logged, trial, n_requests=100, n_errors=40)
    with state_at(logged, NOW + HOUR_US) as state, pytest.raises(Conflict, match="must not get requests"):
        approve_trial(state, package_store(logged), config, trial.seq, actor="ada")
    assert _production(logged) == 1


@pytest.mark.parametrize(
    ("server", "server_state", "n_errors", "end"),
    [("a", "serving", 20, "harmful"), ("a", "refused", 0, "aborted"), ("api ada", "stopped", 0, "aborted")],
)
def test_the_servers_end_a_canary(
    logged: Path, server: str, server_state: store.TrialServerState, n_errors: int, end: str
) -> None:
    config = _settings()
    trial = open_trial(logged, config)
    _advance(logged, config)
    _count(logged, trial, n_requests=40, n_errors=n_errors)
    with state_at(logged) as state, state.writing() as connection:
        own = store.TrialServer(trial.seq, server, server_state, "a reason", NOW - 2 * HOUR_US, NOW)
        store.put_trial_server(connection, own)
    with state_at(logged) as state:
        assert is_stop_due(state, MODEL_NAME, now=NOW)
    assert _advance(logged, config).action == end
    assert (_trials(logged)[-1].state, _production(logged)) == (end, 1)


def test_a_winner_that_did_not_pass_its_gates_loses_its_requests(logged: Path) -> None:
    config = _settings()
    open_trial(logged, config)
    with state_at(logged) as state, state.writing() as connection:
        connection.execute(text("UPDATE versions SET tags = '{}' WHERE version = 2"))
    _advance(logged, config)
    decision = _advance(logged, config, at=NOW + HOUR_US)
    assert (decision.action, _trials(logged)[-1].share, _production(logged)) == ("aborted", 0.0, 1)
    assert "its gates were never evaluated" in decision.reason


def test_a_trial_with_settings_of_another_hand_decides_nothing(logged: Path) -> None:
    config = _settings()
    seq = open_trial(logged, config).seq
    with state_at(logged) as state, state.writing() as connection:
        connection.execute(text("UPDATE trials SET settings = replace(settings, '0.05', '0.5'), proposal = 'promote'"))
    decision = _advance(logged, config)
    assert (decision.action, decision.error) == ("none", "IntegrityError")
    with state_at(logged) as state, pytest.raises(IntegrityError, match=f"trial {seq} does not follow from the audit"):
        approve_trial(state, package_store(logged), config, seq, actor="ada")
    assert (_trials(logged)[-1].state, _production(logged)) == ("comparing", 1)


def _promoted_by_the_loop(root: Path, config: LifecycleConfig) -> Trial:
    """Return the watch after a promotion without canary, whose earlier champion wins at once."""
    direct = config.model_copy(update={"canary": config.canary.model_copy(update={"steps": []})})
    open_trial(root, direct)
    assert _advance(root, direct).action == "promote"
    watch = _trials(root)[-1]
    with state_at(root) as state, state.writing() as connection:
        # Few rows are decisive at a loose level only.
        loose = {**watch.settings, "trial": {**watch.settings["trial"], "alpha": 0.45, "target_units": 5}}
        everything = replace(watch, fresh_from=0, settings=loose)
        return store.update_trial(connection, everything, store.AuditEvent("test", "widen", NOW))


@pytest.mark.parametrize(("max_rollbacks", "action", "production"), [(1, "roll back", 1), (0, "propose roll back", 2)])
def test_a_won_watch_rolls_back_as_often_as_declared(
    logged: Path, max_rollbacks: int, action: str, production: int
) -> None:
    config = _settings()
    config = config.model_copy(update={"watch": config.watch.model_copy(update={"max_rollbacks": max_rollbacks})})
    _promoted_by_the_loop(logged, config)
    assert _advance(logged, config).action == action
    assert _production(logged) == production


def test_a_second_rollback_waits_for_a_person(logged: Path) -> None:
    config = _settings()
    _promoted_by_the_loop(logged, config)
    assert _advance(logged, config, at=NOW + 1).action == "roll back"
    _promoted_by_the_loop(logged, config)
    assert _advance(logged, config, at=NOW + 2).action == "propose roll back"
    assert _production(logged) == 2


@pytest.mark.parametrize("stage", ["comparing", "canary", "watch"])
def test_a_person_who_changes_production_ends_the_trial_and_is_not_overruled(logged: Path, stage: str) -> None:
    config = _settings()
    if stage == "watch":
        _promoted_by_the_loop(logged, config)
    else:
        open_trial(logged, config)
    if stage == "canary":
        assert _advance(logged, config).action == "canary"
    with state_at(logged, NOW + 1) as state:
        if stage == "watch":
            roll_back_version(state, MODEL_NAME, decided_by="ada")
        else:
            promote_version(state, MODEL_NAME, 2, stage="Production", decided_by="ada")
    production = _production(logged)
    decision = _advance(logged, config, at=NOW + 2)
    assert (decision.action, decision.error) == ("void", "Conflict")
    assert (_trials(logged)[-1].state, _production(logged)) == ("void", production)


def test_a_person_who_decides_in_between_stops_an_approval(logged: Path) -> None:
    config = _settings()
    seq = open_trial(logged, config).seq
    _advance(logged, config, mode="advise")
    with state_at(logged, NOW + 1) as state:
        promote_version(state, MODEL_NAME, 2, stage="Production", decided_by="ada")
        with pytest.raises(Conflict, match=f"trial {seq}: ada changed Production"):
            approve_trial(state, package_store(logged), config, seq, actor="bob")


def test_a_trial_whose_package_is_gone_is_void(logged: Path) -> None:
    config = _settings()
    trial = open_trial(logged, config)
    shutil.rmtree(package_store(logged).path(trial.challenger_digest))
    decision = _advance(logged, config)
    assert (decision.action, _trials(logged)[-1].state) == ("void", "void")
    assert "a package cannot be loaded" in decision.reason


def test_a_challenger_that_cannot_score_a_logged_row_loses(project: Path) -> None:
    rows = log_with_outcomes(project, 60)
    open_trial(project)
    with state_at(project) as state, state.writing() as connection:
        connection.execute(text('UPDATE predictions SET features = \'{"Time_spent_Alone": "many"}\' WHERE seq = 9'))
    decision = _advance(project, lifecycle_settings())
    assert (decision.action, len(rows)) == ("lost", 60)
    assert "a logged row cannot be scored" in decision.reason


def test_a_decision_to_wait_names_the_outcomes_still_needed(logged: Path) -> None:
    config = lifecycle_settings()
    assert "no trial is open" in _advance(logged, config).reason
    open_trial(logged, config)
    decision = _advance(logged, config)
    assert (decision.action, "more outcomes decide it at this gain" in decision.reason) == ("none", True)
