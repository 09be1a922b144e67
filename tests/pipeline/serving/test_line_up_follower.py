"""A server follows the trial that takes traffic, and a challenger that it cannot load is recorded."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pipeline import state as store
from pipeline.package import PackageStore
from pipeline.serving.line_up_follower import LineUpFollower
from pipeline.serving.reloader import ModelReloader
from pipeline.state import TrialServer, open_state
from tests.fixtures.registered_project import (
    NAME,
    engine_settings,
    event_kinds,
    open_canary,
    open_live_trial,
    package_folder,
    step_trial,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.serving.line_up import LineUp
    from pipeline.state import State


@pytest.fixture
def state(project: Path) -> Iterator[State]:
    opened = open_state(project)
    yield opened
    opened.close()


def make_follower(project: Path, state: State, *, stage: str = "Production") -> LineUpFollower:
    packages = PackageStore(project / "state/packages")
    return LineUpFollower(state, ModelReloader(state, packages, NAME, stage, engine_settings(), b"key"))


def poll(follower: LineUpFollower, current: LineUp | None = None) -> LineUp:
    result, line_up = follower.poll(current)
    assert line_up is not None, result.detail
    return line_up


def servers(state: State) -> list[TrialServer]:
    with state.reading() as connection:
        return store.read_trial_servers(connection, 1)


def test_a_challenger_is_loaded_steps_and_leaves_with_its_trial(project: Path, state: State) -> None:
    follower = make_follower(project, state)
    alone = poll(follower)
    assert alone.challenger is None
    assert poll(follower, alone) is alone
    trial = open_canary(project)
    first = poll(follower, alone)
    assert first.challenger is not None
    assert (first.challenger.model.version, first.challenger.model.variant, first.challenger.share) == (
        2,
        "challenger",
        0.05,
    )
    assert [server.state for server in servers(state)] == ["serving"]
    second = poll(follower, first)
    assert second is first
    trial = step_trial(project, trial, step=2, share=0.25)
    stepped = poll(follower, first)
    assert stepped.challenger is not None
    assert (stepped.challenger.step, stepped.challenger.share) == (2, 0.25)
    assert stepped.challenger.traffic is first.challenger.traffic
    assert stepped.challenger.model.scorer is first.challenger.model.scorer
    step_trial(project, trial, state="aborted", decided_at=state.clock())
    assert poll(follower, stepped).challenger is None


def test_a_stop_on_one_server_stops_the_others(project: Path, state: State) -> None:
    open_canary(project)
    followers = [make_follower(project, state) for _ in range(2)]
    one, other = [poll(follower) for follower in followers]
    assert one.challenger is not None
    assert other.challenger is not None
    one.challenger.traffic.observe_error()
    one.challenger.traffic.observe_error()
    poll(followers[0], one)
    poll(followers[1], other)
    assert other.challenger.traffic.stop_reason == one.challenger.traffic.stop_reason is not None
    assert [server.state for server in servers(state)] == ["stopped", "stopped"]
    restarted = poll(make_follower(project, state))
    assert restarted.challenger is not None
    assert restarted.challenger.traffic.stop_reason == one.challenger.traffic.stop_reason


def test_a_challenger_that_cannot_be_loaded_is_recorded_and_the_champion_serves(project: Path, state: State) -> None:
    shutil.rmtree(package_folder(project, 2))
    open_canary(project)
    follower = make_follower(project, state)
    line_up = poll(follower)
    assert (line_up.champion.version, line_up.challenger) == (1, None)
    assert [server.state for server in servers(state)] == ["refused"]
    assert event_kinds(state) == ["activated", "refused"]
    assert poll(follower, line_up) is line_up


def test_a_share_that_no_decision_set_is_refused(project: Path, state: State) -> None:
    open_canary(project)
    with state.writing() as connection:
        connection.execute(text("UPDATE trials SET share = 1.0"))
    assert poll(make_follower(project, state)).challenger is None
    assert "does not follow from the audit trail" in servers(state)[0].reason


def test_the_challenger_of_a_live_trial_is_loaded_without_requests_and_leaves_with_its_trial(
    project: Path, state: State
) -> None:
    follower = make_follower(project, state)
    alone = poll(follower)
    trial = open_live_trial(project)
    line_up = poll(follower, alone)
    assert line_up.shadow is not None
    assert (line_up.challenger, line_up.shadow.model.version, line_up.shadow.trial) == (None, 2, trial.seq)
    assert poll(follower, line_up) is line_up
    step_trial(project, trial, state="aborted", decided_at=state.clock())
    assert poll(follower, line_up).shadow is None


def test_a_live_challenger_that_cannot_be_loaded_is_reported_and_the_champion_serves(
    project: Path, state: State
) -> None:
    shutil.rmtree(package_folder(project, 2))
    open_live_trial(project)
    follower = make_follower(project, state)
    line_up = poll(follower)
    assert (line_up.champion.version, line_up.shadow) == (1, None)
    status = follower.shadow_status(line_up)
    assert status is not None
    assert "no model package" in status["error"]


def test_a_server_of_staging_has_no_challenger(project: Path, state: State) -> None:
    open_canary(project)
    with state.writing() as connection:
        version = store.find_version(connection, NAME, 2)
        store.set_deployment(connection, version, "Staging", store.AuditEvent("ada", "promote", state.clock()))
    assert poll(make_follower(project, state, stage="Staging")).challenger is None


def test_a_stop_by_a_person_needs_no_counts(project: Path, state: State) -> None:
    open_canary(project)
    follower = make_follower(project, state)
    line_up = poll(follower)
    with state.writing() as connection:
        store.put_trial_server(connection, TrialServer(1, "api ada", "stopped", "ada stopped it", 1, 1))
    assert poll(follower, line_up) is line_up
    assert line_up.challenger is not None
    assert line_up.challenger.traffic.stop_reason == "ada stopped it"
