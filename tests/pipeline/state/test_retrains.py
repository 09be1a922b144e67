"""A retrain changes state in one transaction with its audit entry, and from the expected state alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from pipeline import state as store
from pipeline.errors import Conflict, UsageError


def ask(state: store.State, model: str = "m") -> store.Retrain:
    at = state.clock()
    with state.writing() as connection:
        return store.add_retrain(connection, store.Retrain(model, "person", at, "ada", at, facts={"n": 1}))


def change(database: store.State, before: store.Retrain, **changes: object) -> store.Retrain:
    with database.writing() as connection:
        changed = replace(before, **changes)  # type: ignore[arg-type]
        return store.update_retrain(connection, before, changed, actor="loop")


def test_a_retrain_is_read_back_as_written_with_an_entry_for_each_state(state: store.State) -> None:
    asked = ask(state)
    refused = change(state, change(state, asked, state="approved", decided_by="ada"), state="refused", error="worse")
    with state.reading() as connection:
        assert store.find_retrain(connection, asked.seq) == refused
        assert store.read_retrains(connection, "m", is_open=True) == []
        entries = store.read_audit_entries(connection, model="m")
        assert store.verify_audit_chain(connection) == []
    assert [entry.evidence["retrain"]["state"] for entry in entries] == ["asked", "approved", "refused"]
    assert [(entry.actor, entry.reason) for entry in entries] == [("ada", ""), ("loop", ""), ("loop", "worse")]


def test_a_change_from_another_state_than_the_stored_one_is_a_conflict(state: store.State) -> None:
    asked = ask(state)
    change(state, asked, state="discarded")
    with pytest.raises(Conflict, match=r"retrain 1 left state asked meanwhile; check `mlops retrain show 1`"):
        change(state, asked, state="approved")


def test_a_model_has_one_open_retrain(state: store.State) -> None:
    asked = ask(state)
    with pytest.raises(Conflict, match=r"m: retrain 1 is open \(asked\)"):
        ask(state)
    assert ask(state, "other").seq == 2
    change(state, asked, state="failed")
    assert ask(state).seq == 3


def test_an_unknown_number_names_the_command_that_lists_them(state: store.State) -> None:
    with state.reading() as connection, pytest.raises(UsageError, match=r"number 9; `mlops retrain list` shows them"):
        store.find_retrain(connection, 9)


def test_a_retrain_changed_by_hand_is_found(state: store.State) -> None:
    change(state, ask(state), state="needs_decision", cpu_s=0.1)
    found = []
    for statement in ("SELECT 1", "UPDATE retrains SET state = 'approved'", "DELETE FROM retrains"):
        with state.engine.connect() as connection:
            connection.execute(text(statement))
            found.append([(change.table, change.row) for change in store.find_undecided_changes(connection)])
            connection.rollback()
    assert found == [[], [("retrains", "1")], [("retrains", "1")]]
