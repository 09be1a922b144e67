"""A row of a deciding table that was changed by hand is found, whichever table and column it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pipeline import state as store
from pipeline.alerts.incident_actions import Actor, acknowledge_incident, create_silence, resolve_incident
from pipeline.errors import IntegrityError
from pipeline.registry import stage_transitions
from tests.fixtures.registered_project import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

_SECOND_DIGEST = "(SELECT digest FROM versions WHERE version = 2)"
_COPIED_KEY = "SELECT 'eve', '{}', 'admin', 'eve', created_at, NULL, NULL, NULL FROM api_keys".format("f" * 64)
_COPIED_SILENCE = "SELECT 99, model, NULL, created_at, until, actor, reason FROM alert_silences WHERE seq = 1"
CHANGES = {
    "deployments": [
        f"UPDATE deployments SET version = 2, digest = {_SECOND_DIGEST} WHERE stage = 'Production'",
        f"UPDATE deployments SET digest = {_SECOND_DIGEST} WHERE stage = 'Production'",
        "UPDATE deployments SET generation = generation + 1",
        "UPDATE deployments SET deployed_at = deployed_at + 1",
        "UPDATE deployments SET stage = 'Staging'",
        "DELETE FROM deployments",
        f"INSERT INTO deployments SELECT model, 'Staging', 2, {_SECOND_DIGEST}, 1, 1 FROM deployments",
    ],
    "models": [
        "UPDATE models SET generation = generation + 1",
        "UPDATE models SET generation = 0",
        "INSERT INTO models (name, generation) VALUES ('another', 0)",
    ],
    "versions": [
        "UPDATE versions SET digest = '{}' WHERE version = 2".format("0" * 64),
        "UPDATE versions SET stage = 'Production' WHERE version = 2",
        "UPDATE versions SET stage = 'None' WHERE version = 1",
        "UPDATE versions SET semver = '9.0.0' WHERE version = 2",
        "UPDATE versions SET registered_at = 1 WHERE version = 2",
        "UPDATE versions SET tags = '{}' WHERE version = 2",
        """UPDATE versions SET tags = '{"gates": {"verdict": "promote"}}' WHERE version = 2""",
        "UPDATE versions SET tags = '{' WHERE version = 2",
        "UPDATE versions SET tags = '[]' WHERE version = 2",
        "DELETE FROM versions WHERE version = 2",
        "INSERT INTO versions SELECT model, 3, '{}', semver, stage, description, tags, 1 FROM versions"
        " WHERE version = 2".format("f" * 64),
    ],
    "api_keys": [
        "UPDATE api_keys SET role = 'admin'",
        "UPDATE api_keys SET digest = '{}'".format("0" * 64),
        "UPDATE api_keys SET expires_at = NULL",
        "UPDATE api_keys SET revoked_at = NULL",
        "UPDATE api_keys SET name = 'eve'",
        "UPDATE api_keys SET created_at = 1",
        f"INSERT INTO api_keys {_COPIED_KEY}",
        "DELETE FROM api_keys",
    ],
    "alert_silences": [
        "UPDATE alert_silences SET until = until + 1",
        "UPDATE alert_silences SET group_name = NULL",
        "UPDATE alert_silences SET model = 'another'",
        "UPDATE alert_silences SET created_at = 0",
        f"INSERT INTO alert_silences {_COPIED_SILENCE}",
        "DELETE FROM alert_silences",
    ],
    "incidents": [
        "UPDATE incidents SET acknowledged_by = 'eve' WHERE seq = 1",
        "UPDATE incidents SET acknowledged_at = 1 WHERE seq = 1",
        "UPDATE incidents SET status = 'acknowledged' WHERE seq = 3",
        "UPDATE incidents SET status = 'resolved', resolved_at = 1, resolved_by = 'ada' WHERE seq = 3",
        "UPDATE incidents SET status = 'resolved', resolved_at = 1 WHERE seq = 3",
        "UPDATE incidents SET resolved_by = 'eve' WHERE seq = 2",
    ],
}


@pytest.fixture
def state(project_on: Path) -> Iterator[store.State]:
    """A registered project with a key, a silence and three incidents."""
    opened = store.open_state(project_on)
    yield opened
    opened.close()


def decide_everything(state: store.State) -> None:
    """Make a decision of each kind."""
    operator = Actor("ada")
    _, key = store.create_api_key(state, "predict", name="caller", actor="ada", expires_at=10**18)
    store.revoke_api_key(state, key.id, actor="ada")
    with state.writing() as connection:
        for name in ("drift", "latency", "traffic"):
            incident = store.Incident(
                group_name=name, model=NAME, rules=(name,), severity="warning", title=name, message="", details={},
                opened_at=1, last_seen_at=1,
            )  # fmt: skip
            store.add_incident(connection, incident)
    acknowledge_incident(state, 1, actor=operator)
    resolve_incident(state, 2, actor=operator, reason="fixed")
    create_silence(state, NAME, minutes=60, actor=operator, incident="drift", reason="maintenance")
    stage_transitions.promote_version(state, NAME, 2, stage="Staging")
    stage_transitions.promote_version(state, NAME, 2, stage="Archived")


def changed_tables(state: store.State, statement: str) -> set[str]:
    """Return the tables that are reported after a statement, which is rolled back."""
    with state.engine.connect() as connection:
        if connection.dialect.name == "postgresql":  # foreign keys of the tables would refuse some changes
            connection.execute(text("SET session_replication_role = replica"))
        else:
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        connection.execute(text(statement))
        tables = {change.table for change in store.find_undecided_changes(connection)}
        connection.rollback()
        return tables


def begin(connection: Connection) -> None:
    """Begin a transaction that includes DDL, which the driver of SQLite would commit at once."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")


def test_a_change_by_hand_of_any_deciding_column_is_found(state: store.State) -> None:
    decide_everything(state)
    with state.reading() as connection:
        assert store.find_undecided_changes(connection) == []
    missed = [
        statement
        for table, statements in CHANGES.items()
        for statement in statements
        if table not in changed_tables(state, statement)
    ]
    assert missed == []


@pytest.mark.parametrize("after", ["x", "[]", "{}", '{"Production": 7}'])
def test_an_entry_of_another_form_is_named_without_a_traceback(state: store.State, after: str) -> None:
    decide_everything(state)
    is_file = state.engine.dialect.name == "sqlite"
    guard = "DROP TRIGGER audit_UPDATE" if is_file else "ALTER TABLE audit DISABLE TRIGGER audit_change"
    with state.reading() as connection:
        n_entries = store.read_audit_head(connection).seq
    for seq in range(1, n_entries + 1):
        with state.engine.connect() as connection:
            begin(connection)
            connection.execute(text(guard))
            connection.execute(text("UPDATE audit SET after = :after WHERE seq = :seq"), {"after": after, "seq": seq})
            assert {change.table for change in store.find_undecided_changes(connection)} > {"triggers"}, seq
            connection.rollback()


def test_a_trigger_that_is_removed_replaced_or_added_is_found(state: store.State) -> None:
    is_file = state.engine.dialect.name == "sqlite"
    weaker = "CREATE TRIGGER audit_UPDATE BEFORE UPDATE ON audit WHEN 0 BEGIN SELECT RAISE(ABORT, 'no'); END"
    for changes in (
        [f"DROP TRIGGER {'audit_DELETE' if is_file else 'audit_change ON audit'}"],
        ["DROP TRIGGER audit_UPDATE", weaker] if is_file else ["ALTER TABLE audit DISABLE TRIGGER audit_change"],
        [
            "CREATE TRIGGER more AFTER INSERT ON models BEGIN UPDATE api_keys SET role = 'admin'; END"
            if is_file
            else "CREATE TRIGGER more AFTER INSERT ON models EXECUTE FUNCTION refuse_audit_change()"
        ],
    ):
        with state.engine.connect() as connection:
            begin(connection)
            for statement in changes:
                connection.execute(text(statement))
            assert {change.table for change in store.find_undecided_changes(connection)} == {"triggers"}, changes
            connection.rollback()


@pytest.mark.parametrize("table", ["deployments", "api_keys", "predictions"])
def test_a_view_in_place_of_a_table_is_found(state: store.State, table: str) -> None:
    with state.engine.connect() as connection:
        begin(connection)
        connection.execute(text(f"CREATE VIEW by_version AS SELECT * FROM {table}"))
        assert store.find_undecided_changes(connection) == []
        connection.execute(text("DROP VIEW by_version"))
        connection.execute(text(f"ALTER TABLE {table} RENAME TO hidden"))
        connection.execute(text(f"CREATE VIEW {table} AS SELECT * FROM hidden"))
        assert [(change.table, change.row) for change in store.find_undecided_changes(connection)] == [("views", table)]
        connection.rollback()


def test_a_decision_on_top_of_a_change_by_hand_is_refused(state: store.State) -> None:
    with state.writing() as connection:
        connection.execute(text("UPDATE models SET generation = generation + 1"))
    with pytest.raises(IntegrityError, match="generation is 2, and 1 was decided; `mlops doctor` restores"):
        stage_transitions.promote_version(state, NAME, 2, stage="Production")


def test_the_decided_deployment_is_restored_with_a_newer_generation(state: store.State) -> None:
    with state.writing() as connection:
        connection.execute(text(f"UPDATE deployments SET version = 2, digest = {_SECOND_DIGEST}, generation = 2"))
        connection.execute(text("UPDATE models SET generation = 2"))
        connection.execute(text("UPDATE versions SET stage = 'Production' WHERE version = 2"))
    with state.writing() as connection:
        store.restore_decided_deployment(connection, NAME, actor="ada", at=5)
        deployment = store.current_deployment(connection, NAME)
        assert (deployment.versions, deployment.generation) == ({"Production": 1}, 3)
        assert store.find_undecided_changes(connection) == []
        assert store.restore_decided_deployment(connection, NAME, actor="ada", at=6) is None
