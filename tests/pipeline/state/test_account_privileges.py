"""Each database account may do what its work needs, on a real PostgreSQL, and no other statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from pipeline import state as store
from pipeline.errors import NotAllowed, UsageError
from pipeline.state.tables import METADATA

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.state.database_accounts import Accounts

PRODUCTION = '{"Production": {"digest": "d1", "version": 1}}'
FORGED = '{"Production": {"digest": "d3", "version": 3}}'


AUDIT_INSERT = (
    "INSERT INTO audit (seq, recorded_at, actor, action, model, version, generation, before, after, reason, evidence,"
    " previous, hash) VALUES (99, 1, 'x', '{action}', 'personality_model', 3, {generation}, '{before}', '{after}', '',"
    " '{{}}', '', '')"
)


def audit_entry(action: str = "promote", *, before: str = PRODUCTION, after: str, generation: str = "9") -> str:
    return AUDIT_INSERT.format(action=action, generation=generation, before=before, after=after)


STRUCTURE = (
    "CREATE TABLE other (id int)",
    "CREATE TEMPORARY TABLE other (id int)",
    "CREATE SCHEMA other",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE another",
    "DROP TABLE audit",
    "DROP TRIGGER audit_change ON audit",
    "ALTER TABLE audit DISABLE TRIGGER audit_change",
    "ALTER TABLE audit DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE predictions DETACH PARTITION predictions_default",
    "DROP FUNCTION refuse_audit_change CASCADE",
    "DROP POLICY mlops_training_insert ON deployments",
    "CREATE POLICY mine ON deployments FOR ALL USING (true)",
    "GRANT mlops_decider TO mlops_training",
    "SET ROLE tester",
    "SET session_replication_role = replica",
    "TRUNCATE audit",
    "TRUNCATE predictions",
    "UPDATE audit SET actor = 'x'",
    "DELETE FROM audit",
    "DELETE FROM predictions",
    "UPDATE predictions SET prediction = 'x'",
    "DELETE FROM predictions_default",
    "UPDATE versions SET digest = 'x'",
    "UPDATE versions SET tags = '{}'",
    "DELETE FROM versions",
    "UPDATE deployments SET version = 3",
    "INSERT INTO api_keys VALUES ('x', 'x', 'admin', 'x', 1)",
    "UPDATE api_keys SET role = 'admin'",
    "UPDATE api_keys SET revoked_at = NULL",
    "DELETE FROM api_keys",
    "UPDATE mlops_schema SET version_num = '9'",
    "DELETE FROM counters",
)
OF_ACCOUNT = {
    "api": (
        "INSERT INTO deployments VALUES ('personality_model', 'Production', 3, 'd3', 9, 9)",
        "DELETE FROM deployments",
        "UPDATE models SET generation = 9",
        "UPDATE versions SET stage = 'Production'",
        audit_entry(after=FORGED),
        "INSERT INTO mlflow_outbox VALUES (99, 'mirror', '{}', 1, 0)",
        "UPDATE incidents SET status = 'resolved'",
        "INSERT INTO alert_silences VALUES (99, 'm', NULL, 1, 9, 'x', '')",
        "INSERT INTO counters VALUES ('clock_seen_at', 9)",
        "SELECT * FROM mlflow_outbox",
    ),
    "monitor": (
        "INSERT INTO deployments VALUES ('personality_model', 'Production', 3, 'd3', 9, 9)",
        "DELETE FROM deployments",
        "UPDATE versions SET stage = 'Production'",
        audit_entry(after=FORGED),
        "INSERT INTO predictions SELECT * FROM predictions",
        "INSERT INTO outcomes VALUES (99, 'p1', 1, 'yes', 'api')",
        "UPDATE api_keys SET last_used_at = 1",
        "SELECT * FROM api_keys",
        "SELECT * FROM idempotent_responses",
    ),
    "training": (
        "INSERT INTO deployments VALUES ('personality_model', 'Production', 3, 'd3', 9, 9)",
        "INSERT INTO versions VALUES ('personality_model', 9, 'd9', '9.0.0', 'Production', '', '{}', 9)",
        "INSERT INTO models VALUES ('another_model', 9)",
        "UPDATE versions SET stage = 'Production' WHERE version = 3",
        "INSERT INTO counters VALUES ('clock_seen_at', 9)",
        "INSERT INTO predictions SELECT * FROM predictions",
        "SELECT features FROM predictions",
        "SELECT * FROM outcomes",
        "SELECT * FROM api_keys",
        "UPDATE incidents SET status = 'resolved'",
        # Servers, rollbacks and `mlops doctor` follow the trail, so no entry may say anything new about Production.
        audit_entry(after=FORGED),
        audit_entry("rollback", after=FORGED),
        audit_entry("force", before="{}", after=PRODUCTION),
        audit_entry("promote", before=FORGED, after=PRODUCTION),
        audit_entry("promote", after="{}"),
        audit_entry("register", after=FORGED, generation="NULL"),
        audit_entry("promote", after=PRODUCTION.replace("}}", ', "x": 1}}')),
        audit_entry("create key", before="{}", after='{"id": "x"}', generation="NULL"),
        audit_entry("restore deployment", before=PRODUCTION, after=PRODUCTION),
    ),
    "decider": (
        "INSERT INTO predictions SELECT * FROM predictions",
        "INSERT INTO versions VALUES ('personality_model', 9, 'd9', '9.0.0', 'None', '', '{}', 9)",
        "INSERT INTO counters VALUES ('clock_seen_at', 9)",
        "DELETE FROM monitor_runs",
    ),
    "loop": (
        "INSERT INTO predictions SELECT * FROM predictions",
        "INSERT INTO outcomes VALUES (99, 'p1', 1, 'yes', 'api')",
        "UPDATE loop_runs SET decisions = '[]'",
        "DELETE FROM trials",
        "DELETE FROM retrains",
        "INSERT INTO counters VALUES ('clock_seen_at', 9)",
        "UPDATE api_keys SET last_used_at = 1",
    ),
    "app": (
        "INSERT INTO versions VALUES ('personality_model', 9, 'd9', '9.0.0', 'None', '', '{}', 9)",
        "DELETE FROM outcomes",
        "DELETE FROM rollups",
    ),
}


@pytest.mark.parametrize("account", store.ACCOUNTS)
def test_each_forbidden_statement_is_refused(accounts: Accounts, account: str) -> None:
    accepted = []
    for statement in (*STRUCTURE, *OF_ACCOUNT[account]):
        try:
            accounts.run(account, statement)
        except psycopg.errors.InsufficientPrivilege:
            continue
        accepted.append(statement)
    assert accepted == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE counters SET value = 99 WHERE name = 'audit'",
        "UPDATE counters SET value = 99 WHERE name = 'clock_seen_at'",
    ],
)
@pytest.mark.parametrize("account", ["api", "monitor"])
def test_counters_of_other_tables_are_not_changed(accounts: Accounts, account: str, statement: str) -> None:
    assert accounts.run(account, statement) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM deployments WHERE stage = 'Production'",
        "UPDATE versions SET stage = 'Archived' WHERE stage = 'Production'",
    ],
)
def test_the_training_account_changes_no_row_of_production(accounts: Accounts, statement: str) -> None:
    assert accounts.run("training", statement) == 0


def test_each_table_is_read_by_an_account_and_written_by_one_or_by_the_owner_alone() -> None:
    read = {p.table for account in store.ACCOUNTS for p in store.account_privileges(account) if p.action == "SELECT"}
    written = {p.table for account in store.ACCOUNTS for p in store.account_privileges(account) if p.action == "INSERT"}
    assert read == {*METADATA.tables, "mlops_schema"}
    # A new table must be given to an account here, or be named as one of the owner.
    assert {*METADATA.tables} - written == {"api_keys"}


def test_a_second_grant_takes_back_what_was_given_by_hand(fresh: Accounts) -> None:
    owner = store.connect_to(fresh.address, setting_name="here")
    with owner.writing() as connection:
        connection.exec_driver_sql("GRANT ALL ON audit, api_keys TO mlops_api")
        connection.exec_driver_sql("GRANT ALL ON SCHEMA public TO PUBLIC")  # as before PostgreSQL 15
        connection.exec_driver_sql("GRANT UPDATE (role) ON api_keys TO mlops_api")
        connection.exec_driver_sql("DROP POLICY mlops_training_insert ON deployments")
        connection.exec_driver_sql("CREATE POLICY mlops_training_insert ON deployments FOR INSERT WITH CHECK (true)")
    store.apply_grants(owner)
    owner.close()
    for account, statement in (
        ("api", "TRUNCATE audit"),
        ("api", "CREATE TABLE other (id int)"),
        ("api", "UPDATE api_keys SET role = 'admin'"),
        ("training", "INSERT INTO deployments VALUES ('personality_model', 'Production', 3, 'd3', 9, 9)"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            fresh.run(account, statement)


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS", "CREATEROLE", "IN ROLE tester"])
def test_an_account_that_rights_do_not_bind_is_refused(fresh: Accounts, attribute: str) -> None:
    owner = store.connect_to(fresh.address, setting_name="here")
    prefix = f"wide_{attribute.rsplit(maxsplit=1)[-1].lower()}"
    with owner.writing() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {prefix}_monitor LOGIN {attribute}")
    with pytest.raises(NotAllowed, match=f"rights do not bind {prefix}_monitor"):
        store.apply_grants(owner, prefix=prefix)
    owner.close()


def test_an_account_that_does_not_own_the_tables_grants_nothing(accounts: Accounts) -> None:
    state = accounts.open("app")
    with pytest.raises(NotAllowed, match="account mlops_app"):
        store.apply_grants(state)
    state.close()


@pytest.mark.parametrize("prefix", ["", "Mlops", "a b", "x;", "1a", "a" * 42, 'a"b'])
def test_a_prefix_that_is_no_plain_name_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match="--prefix"):
        store.grant_statements(prefix=prefix)


def test_a_file_has_no_accounts(tmp_path: Path) -> None:
    state = store.connect_to(f"sqlite:///{tmp_path / 'state.db'}", setting_name="here")
    with pytest.raises(UsageError, match="an SQLite file has no accounts; set MLOPS_STATE_URL"):
        store.apply_grants(state)
    state.close()
