"""A changed, removed or inserted entry is found, whoever made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pipeline import state as store
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def append_entries(state: store.State, n: int = 5) -> None:
    for number in range(n):
        with state.writing() as connection:
            act = store.AuditEvent(
                "ada", "promote", state.clock(), reason=f"reason {number}", evidence={"log_loss": 0.13}
            )
            store.append_audit_entry(
                connection, act, model="m", version=number, generation=number, after={"Production": number}
            )


def _drop_audit_guard(connection: Connection) -> None:
    """Take the guard away, as somebody with all rights could."""
    if connection.dialect.name == "sqlite":
        for name in ("audit_UPDATE", "audit_DELETE"):
            connection.execute(text(f'DROP TRIGGER "{name}"'))
    else:
        connection.execute(text("DROP TRIGGER audit_change ON audit"))


TAMPERED_ENTRIES = {
    "a changed actor": (["UPDATE audit SET actor = 'eve' WHERE seq = 3"], [3]),
    "a changed reason": (["UPDATE audit SET reason = '' WHERE seq = 1"], [1]),
    "a changed moment": (["UPDATE audit SET recorded_at = 999 WHERE seq = 5"], [5]),
    "a changed hash": (["UPDATE audit SET hash = previous WHERE seq = 2"], [2, 3]),
    "a removed entry": (["DELETE FROM audit WHERE seq = 3"], [3]),
    "the newest removed": (["DELETE FROM audit WHERE seq = 5"], [5]),
    "the oldest removed": (["DELETE FROM audit WHERE seq = 1"], [1]),
    "all removed": (["DELETE FROM audit"], [1]),
    "two exchanged": (
        [
            "UPDATE audit SET seq = 99 WHERE seq = 2",
            "UPDATE audit SET seq = 2 WHERE seq = 3",
            "UPDATE audit SET seq = 3 WHERE seq = 99",
        ],
        [2, 3],
    ),
    "one inserted at the end": (
        [
            (
                "INSERT INTO audit SELECT 6, recorded_at, actor, action, model, version, generation, before, after,"
                " reason, evidence, hash, hash FROM audit WHERE seq = 5"
            )
        ],
        [6],
    ),
}


@pytest.mark.parametrize(("changes", "places"), TAMPERED_ENTRIES.values(), ids=TAMPERED_ENTRIES)
def test_tampering_is_reported_with_the_entry_number(state: store.State, changes: list[str], places: list[int]) -> None:
    append_entries(state)
    with state.writing() as connection:
        _drop_audit_guard(connection)
        for change in changes:
            connection.execute(text(change))
    with state.reading() as connection:
        assert {one.seq for one in store.verify_audit_chain(connection)} >= set(places)


def test_an_intact_chain_has_no_break(state: store.State) -> None:
    append_entries(state)
    with state.reading() as connection:
        assert store.verify_audit_chain(connection) == []


def test_entries_are_filtered_by_model_and_time(state: store.State) -> None:
    append_entries(state)
    with state.reading() as connection:
        assert [one.seq for one in store.read_audit_entries(connection, until=3)] == [1, 2, 3]
        assert [one.seq for one in store.read_audit_entries(connection, limit=2)] == [4, 5]
        assert store.read_audit_entries(connection, model="other") == []
        last = store.read_audit_entries(connection)[-1]
    assert (last.actor, last.reason, last.evidence, last.after) == (
        "ada",
        "reason 4",
        {"log_loss": 0.13},
        {"Production": 4},
    )


def test_a_chain_that_was_rewritten_as_a_whole_differs_from_an_earlier_head(state: store.State) -> None:
    append_entries(state)
    with state.reading() as connection:
        heads = [entry.head for entry in store.read_audit_entries(connection)]
    with state.writing() as connection:
        _drop_audit_guard(connection)
        connection.execute(text("DELETE FROM audit"))
        connection.execute(text("UPDATE counters SET value = 0 WHERE name = 'audit'"))
        for number in range(5):
            act = store.AuditEvent("eve", "promote", number)
            store.append_audit_entry(connection, act, model="m", version=number, generation=number)
    with state.reading() as connection:
        assert store.verify_audit_chain(connection) == []
        assert [len(store.verify_audit_chain(connection, head=head)) for head in heads] == [1] * 5


@pytest.mark.parametrize("head", ["", "5", "5:", f"5:{'A' * 64}", f"-1:{'a' * 64}", f"5:{'a' * 63}", "5:a:b"])
def test_another_form_of_a_head_is_refused(head: str) -> None:
    with pytest.raises(UsageError, match="expected SEQ:HASH, as `mlops audit head` prints it"):
        store.AuditHead.parse(head)
