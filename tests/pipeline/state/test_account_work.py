"""The rights of each database account are enough for its work, and a missing right is named."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from pipeline import alerts
from pipeline import state as store
from pipeline.errors import NotAllowed
from pipeline.loop.loop_lease import held_lease
from pipeline.registry.stage_transitions import promote_version, roll_back_version
from pipeline.state.schema_migration import ensure_schema
from tests.fixtures import postgresql_server
from tests.pipeline.state.database_accounts import MODEL, Accounts, register
from tests.pipeline.state.loop_records import make_retrain, make_trial

if TYPE_CHECKING:
    from pathlib import Path


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


def test_the_account_of_the_loop_steps_trials_asks_for_retrains_and_promotes(fresh: Accounts) -> None:
    state = fresh.open("loop")
    with held_lease(state, store.loop_lease_name(MODEL), "one"), state.writing() as connection:
        event = store.AuditEvent(store.LOOP_ACTOR, "open trial", state.clock())
        trial = store.add_trial(connection, make_trial(model=MODEL), event)
        store.update_trial(connection, replace(trial, state="canary", step=1, share=0.05), event)
        store.add_retrain(connection, make_retrain(model=MODEL))
        run = store.LoopRun(MODEL, 1, "one", (store.LoopDecision("trial 1", "step", "200 predictions"),), 2)
        assert store.add_loop_run(connection, run) == 1
    change = promote_version(state, MODEL, 2, stage="Production", decided_by=store.LOOP_ACTOR)
    assert change.after.versions["Production"] == 2
    state.close()


def test_the_account_of_the_app_decides_and_logs(fresh: Accounts) -> None:
    state = fresh.open("app")
    promote_version(state, MODEL, 2, stage="Production", decided_by="eve")
    writer = store.PredictionWriter(state)
    row = store.PredictionRow("p2", 5, MODEL, 2, "d2", 1, "{}", "yes", "{}", 1.0, "", "", "", 1, 1.0, None, None)
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


def test_a_copy_by_an_account_that_may_not_read_all_names_that_account(accounts: Accounts, tmp_path: Path) -> None:
    source = accounts.open("api")
    target = store.connect_to(f"sqlite:///{tmp_path / 'copy.db'}", setting_name="here")
    with pytest.raises(NotAllowed, match=r"account mlops_api \(permission denied for table mlflow_outbox\)"):
        store.copy_state(source, target, actor="eve", partition_days=1, on_progress=lambda *_: None)
    source.close()
    target.close()


def test_a_restored_dump_has_the_rights_of_the_accounts(accounts: Accounts, postgresql: str, tmp_path: Path) -> None:
    owner = store.connect_to(accounts.address, setting_name="here")
    dump = store.back_up_state(owner, tmp_path)
    owner.close()
    restored = postgresql_server.new_database(postgresql)
    command = ["psql", "--quiet", "--single-transaction", "-v", "ON_ERROR_STOP=1", "--file", dump, restored]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    copy = Accounts(restored)
    for account, statement in (("api", "TRUNCATE audit"), ("training", "DELETE FROM versions")):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            copy.run(account, statement)
    assert copy.run("decider", "SELECT * FROM deployments") == 2
