"""A trial changes only by a decision: each step claims a generation and is in the audit trail."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from pipeline import state as store
from pipeline.errors import Conflict, UsageError


def _open_trial(state: store.State, *, challenger: int = 2, expected: int | None = None) -> store.Trial:
    with state.writing() as connection:
        at = state.clock()
        trial = store.Trial(
            model="m",
            purpose="promotion",
            method="replay",
            champion=1,
            champion_digest="a" * 64,
            challenger=challenger,
            challenger_digest=str(challenger) * 64,
            salt="salt",
            settings={"alpha": 0.05},
            fresh_from=at,
            opened_at=at,
            opened_by="ada",
            step_at=at,
        )
        return store.add_trial(
            connection, trial, store.AuditEvent("ada", "open trial", at), expected_generation=expected
        )


def _step(database: store.State, trial: store.Trial, *, expected: int | None = None, **changes: object) -> store.Trial:
    with database.writing() as connection:
        event = store.AuditEvent("ada", "step trial", database.clock())
        changed = replace(trial, **changes)  # type: ignore[arg-type]
        return store.update_trial(connection, changed, event, expected_generation=expected)


@pytest.fixture
def registered(state: store.State) -> store.State:
    with state.writing() as connection:
        for at in range(3):
            store.add_version(
                connection, "m", f"{at:064}", at=state.clock(), semver=f"1.{at}.0", description="", tags={}
            )
        version = store.find_version(connection, "m", 1)
        store.set_deployment(connection, version, "Production", store.AuditEvent("ada", "promote", state.clock()))
    return state


def test_a_step_is_read_back_as_written_under_the_next_generation(registered: store.State) -> None:
    opened = _open_trial(registered)
    canary = _step(registered, opened, state="canary", step=1, share=0.05)
    with registered.reading() as connection:
        assert store.find_trial(connection, opened.seq) == canary == store.traffic_trial(connection, "m")
        assert store.current_deployment(connection, "m").generation == 3
        assert [entry.action for entry in store.read_audit_entries(connection, model="m")][-2:] == [
            "open trial",
            "step trial",
        ]


def test_a_comparison_without_traffic_is_no_traffic_trial(registered: store.State) -> None:
    _open_trial(registered)
    with registered.reading() as connection:
        assert store.traffic_trial(connection, "m") is None


def test_a_challenger_has_one_open_trial(registered: store.State) -> None:
    opened = _open_trial(registered)
    with pytest.raises(Conflict, match=rf"version 2 has open trial {opened.seq}; stop it first"):
        _open_trial(registered)
    assert _open_trial(registered, challenger=3).seq == opened.seq + 1


def test_a_decided_trial_does_not_change(registered: store.State) -> None:
    opened = _open_trial(registered)
    _step(registered, opened, state="lost", decided_at=registered.clock())
    with pytest.raises(Conflict, match=f"trial {opened.seq} was decided meanwhile"):
        _step(registered, opened, state="canary", step=1)
    with registered.reading() as connection:
        assert [trial.state for trial in store.read_trials(connection, "m", is_open=False)] == ["lost"]


@pytest.mark.parametrize("action", ["open", "step"])
def test_a_decision_in_between_is_a_conflict(registered: store.State, action: str) -> None:
    opened = _open_trial(registered)
    with pytest.raises(Conflict, match="another change came first"):
        if action == "open":
            _open_trial(registered, challenger=3, expected=1)
        else:
            _step(registered, opened, expected=1, state="canary", step=1)
    with registered.reading() as connection:
        assert store.read_trials(connection, "m") == [opened]


@pytest.mark.parametrize(
    "change",
    [
        "share = 0.9",
        "state = 'canary'",
        "challenger_digest = 'f'",
        "settings = '{}'",
        "settings = ''",
        "proposal = 'promote'",
    ],
)
def test_a_trial_changed_by_hand_is_found(registered: store.State, change: str) -> None:
    _open_trial(registered)
    with registered.writing() as connection:
        connection.execute(text(f"UPDATE trials SET {change}"))
        changes = store.find_undecided_changes(connection)
    # The versions of this test are not registered by a decision.
    assert [(found.table, found.row) for found in changes if found.table != "versions"] == [("trials", "1")]


def test_an_unknown_number_names_the_command(registered: store.State) -> None:
    with registered.reading() as connection, pytest.raises(UsageError, match="no trial has the number 7"):
        store.find_trial(connection, 7)
