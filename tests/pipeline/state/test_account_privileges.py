"""Each database account may do what its work needs, on a real PostgreSQL, and no other statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest

from pipeline import alerts
from pipeline import state as store
from pipeline.errors import NotAllowed, UsageError
from pipeline.registry.stage_transitions import promote_version, roll_back_version
from pipeline.state.schema_migration import ensure_schema
from pipeline.state.tables import METADATA
from tests.fixtures import postgresql_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "personality_model"
PASSED = {"verdict": "promote", "gates": []}
PRODUCTION = '{"Production": {"digest": "d1", "version": 1}}'
FORGED = '{"Production": {"digest": "d3", "version": 3}}'


class Accounts(NamedTuple):
    """A database with three versions, the second in Staging and the first in Production, and its accounts."""

    address: str

    def url(self, account: str) -> str:
        return self.address.replace("//tester@", f"//mlops_{account}@")

    def open(self, account: str) -> store.State:
        return store.connect_to(self.url(account), setting_name="the test's account")

    def run(self, account: str, statement: str) -> int:
        """Run a statement and roll it back; return the number of its rows."""
        with psycopg.connect(self.url(account)) as connection:
            done = connection.execute(statement.encode())
            connection.rollback()
            return done.rowcount


@pytest.fixture(scope="module")
def accounts(postgresql: str) -> Accounts:
    address = postgresql_server.new_database(postgresql, template=postgresql_server.template_database(postgresql))
    owner = store.connect_to(address, setting_name="here")
    fill_database(owner)
    store.apply_grants(owner)
    owner.close()
    return Accounts(address)


@pytest.fixture
def fresh(postgresql: str) -> Iterator[Accounts]:
    """The same for a test that changes it."""
    address = postgresql_server.new_database(postgresql, template=postgresql_server.template_database(postgresql))
    owner = store.connect_to(address, setting_name="here")
    fill_database(owner)
    store.apply_grants(owner)
    yield Accounts(address)
    owner.close()


def fill_database(owner: store.State) -> None:
    for number in (1, 2, 3):
        register(owner, number)
    promote_version(owner, MODEL, 1, stage="Production", decided_by="eve")
    promote_version(owner, MODEL, 2, stage="Staging", decided_by="eve")
    store.create_api_key(owner, "predict", name="k", actor="eve")
    writer = store.PredictionWriter(owner)
    row = store.PredictionRow("p1", 5, MODEL, 1, "d1", 1, "{}", "yes", "{}", 1.0, "", "", 1, 1.0, None, None)
    writer.write([row])
    writer.close()


def register(state: store.State, number: int) -> None:
    with state.writing() as connection:
        tags = {"gates": PASSED}
        version = store.add_version(
            connection, MODEL, f"d{number}", at=number, semver=f"1.0.{number}", description="", tags=tags
        )
        event = store.AuditEvent("ci", "register", number, evidence=PASSED)
        after = {"digest": version.digest, "semver": version.semver}
        store.append_audit_entry(connection, event, model=MODEL, version=version.version, after=after)
        store.enqueue_task(connection, "mirror", {"model": MODEL}, at=number)


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


@pytest.mark.parametrize("stage", ["Staging", "None", "Archived"])
def test_the_training_account_registers_and_stages(fresh: Accounts, stage: str) -> None:
    state = fresh.open("training")
    register(state, 4)
    change = promote_version(state, MODEL, 4, stage=stage, decided_by="ci")
    assert change.after.versions["Production"] == 1
    with state.reading() as connection:
        assert store.find_undecided_deployments(connection, MODEL) == []
    state.close()


def test_the_training_account_registers_the_first_version_of_a_model(fresh: Accounts) -> None:
    state = fresh.open("training")
    with state.writing() as connection:
        store.add_version(connection, "another_model", "d1", at=1, semver="1.0.0", description="", tags={})
    with state.writing() as connection:
        assert not store.may_change_stage(connection, "Production")
        assert store.may_change_stage(connection, "Staging")
    state.close()


@pytest.mark.parametrize(
    ("version", "stage", "force"),
    [(2, "Production", False), (3, "Production", True), (1, "Staging", False), (1, "Archived", False)],
)
@pytest.mark.parametrize("account", ["training", "api", "monitor"])
def test_an_account_without_the_right_is_named_with_the_stage_and_changes_nothing(
    fresh: Accounts, account: str, version: int, stage: str, *, force: bool
) -> None:
    state = fresh.open(account)
    with pytest.raises(NotAllowed, match=rf"the database account mlops_{account} may not change \w+; nothing was"):
        promote_version(state, MODEL, version, stage=stage, force=force, reason="a reason", decided_by="ci")
    with state.reading() as connection:
        assert store.current_deployment(connection, MODEL).versions == {"Production": 1, "Staging": 2}
        assert store.find_undecided_deployments(connection, MODEL) == []
    state.close()


def test_the_deciding_account_promotes_rolls_back_and_silences(fresh: Accounts) -> None:
    state = fresh.open("decider")
    promote_version(state, MODEL, 2, stage="Production", decided_by="eve")
    change = roll_back_version(state, MODEL, decided_by="eve")
    with state.writing() as connection:
        store.mark_task_done(connection, store.read_pending_tasks(connection)[0], at=1)
        silence = store.Silence(MODEL, None, 1, 9, "eve", "", 0)
        store.end_silence(connection, store.add_silence(connection, silence), at=2)
    with state.reading() as connection:
        assert store.verify_audit_chain(connection) == []
    assert change.after.versions["Production"] == 1
    state.close()


def test_the_account_of_the_app_decides_and_logs(fresh: Accounts) -> None:
    state = fresh.open("app")
    promote_version(state, MODEL, 2, stage="Production", decided_by="eve")
    writer = store.PredictionWriter(state)
    row = store.PredictionRow("p2", 5, MODEL, 2, "d2", 1, "{}", "yes", "{}", 1.0, "", "", 1, 1.0, None, None)
    writer.write([row], [store.StoredResponse("k", 1, "d", "{}", None)])
    writer.close()
    with state.writing() as connection:
        store.add_outcomes(connection, [("p2", 1, "yes", "app")])
    with state.reading() as connection:
        assert store.find_undecided_changes(connection) == []
    state.close()


@pytest.mark.parametrize("account", ["app", "decider"])
def test_an_incident_of_the_monitor_is_handled_by_an_account_that_decides(fresh: Accounts, account: str) -> None:
    state = fresh.open("monitor")
    with state.writing() as connection:
        incident = store.Incident("quality", MODEL, ("drift",), "warning", "t", "m", {}, 1, 1)
        number = store.add_incident(connection, incident)
        store.add_delivery(connection, number, "log", "k", {"event": "opened"}, at=1)
    state.close()
    state, actor = fresh.open(account), alerts.Actor("eve")
    assert alerts.acknowledge_incident(state, number, actor=actor).status == "acknowledged"
    silence = alerts.create_silence(state, MODEL, minutes=5, actor=actor, reason="a reason")
    alerts.expire_silence(state, silence.seq, actor=actor)
    assert alerts.resolve_incident(state, number, actor=actor).status == "resolved"
    with state.reading() as connection:
        assert store.find_undecided_changes(connection) == []
    state.close()


def test_an_empty_database_names_the_commands_of_the_owner(postgresql: str) -> None:
    address = postgresql_server.new_database(postgresql)
    with psycopg.connect(address) as connection:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.execute("CREATE ROLE empty_api LOGIN")
    state = store.connect_to(address.replace("//tester@", "//empty_api@"), setting_name="here")
    with pytest.raises(NotAllowed, match="the account empty_api may not create them; run `mlops state upgrade`"):
        ensure_schema(state)
    state.close()


def test_an_account_that_may_not_enter_the_database_is_named(accounts: Accounts) -> None:
    with psycopg.connect(accounts.address) as connection:
        connection.execute("CREATE ROLE stranger LOGIN")
    state = store.connect_to(accounts.address.replace("//tester@", "//stranger@"), setting_name="here")
    with pytest.raises(NotAllowed, match="stranger may not enter the database; run `mlops state grant --apply`"):
        store.schema_revision(state)
    state.close()


@pytest.mark.parametrize("account", ["training", "monitor"])
def test_a_statement_without_the_right_is_an_error_of_ours(accounts: Accounts, account: str) -> None:
    state = accounts.open(account)
    with pytest.raises(NotAllowed, match=rf"account mlops_{account} \(permission denied for table api_keys\)"):
        store.read_api_keys(state)
    with pytest.raises(NotAllowed, match=r"row-level security policy for table"), state.writing() as connection:
        store.add_outcomes(connection, [("p1", 1, "yes", "api")])
    state.close()


def test_a_second_grant_takes_back_what_was_given_by_hand(fresh: Accounts) -> None:
    owner = store.connect_to(fresh.address, setting_name="here")
    with owner.writing() as connection:
        connection.exec_driver_sql("GRANT ALL ON audit, api_keys TO mlops_api")
        connection.exec_driver_sql("GRANT UPDATE (role) ON api_keys TO mlops_api")
        connection.exec_driver_sql("DROP POLICY mlops_training_insert ON deployments")
        connection.exec_driver_sql("CREATE POLICY mlops_training_insert ON deployments FOR INSERT WITH CHECK (true)")
    store.apply_grants(owner)
    owner.close()
    for account, statement in (
        ("api", "TRUNCATE audit"),
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
