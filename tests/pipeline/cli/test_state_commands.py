"""`mlops state` upgrades, backs up and copies the state database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from pipeline.registry import ModelRegistry
from tests.fixtures import postgresql_server

if TYPE_CHECKING:
    import pytest

    from tests.fixtures.cli import CliRunner


def test_upgrade_of_a_current_database_changes_nothing(model_project: Path, run_cli: CliRunner) -> None:
    run = run_cli("state", "upgrade", cwd=model_project)
    assert (run.exit_code, "state.db: up to date (schema version " in run.out) == (0, True)
    versions = json.loads(run_cli("state", "upgrade", "--json", cwd=model_project).out)
    assert (versions["before"], versions["backup"]) == (versions["after"], None)


def test_backup_prints_the_path_and_the_size(model_project: Path, run_cli: CliRunner) -> None:
    body = json.loads(run_cli("state", "backup", "--json", cwd=model_project).out)
    backup = Path(body["backup"])
    assert backup.parent == model_project / "state/backups"
    assert backup.stat().st_size == body["bytes"]


def test_copy_into_an_empty_database_has_all_rows(
    model_project: Path, tmp_path: Path, run_cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/copy.db"
    body = json.loads(run_cli("state", "copy", "--to", url, "--json", cwd=model_project).out)
    assert {table["name"]: table["n_rows"] for table in body["tables"]}["versions"] == 3
    monkeypatch.setenv("MLOPS_STATE_URL", url)
    assert len(ModelRegistry(model_project).list_models()) == 3


def test_copy_onto_itself_is_refused(model_project: Path, run_cli: CliRunner) -> None:
    url = f"sqlite:///{model_project}/state/state.db"
    run = run_cli("state", "copy", "--to", url, cwd=model_project)
    assert (run.exit_code, "is the database to copy from; name another database" in run.err) == (2, True)


def test_grant_prints_sql_that_a_server_accepts_and_applies_the_same(
    model_project: Path, postgresql: str, run_cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgresql_server.new_database(postgresql, template=postgresql_server.template_database(postgresql))
    sql = run_cli("state", "grant", "--prefix", "cli", cwd=model_project).out
    with psycopg.connect(address) as connection:
        connection.execute(sql.encode())
    monkeypatch.setenv("MLOPS_STATE_URL", address)
    applied = run_cli("state", "grant", "--prefix", "cli", "--apply", cwd=model_project)
    accounts = "cli_api, cli_app, cli_decider, cli_loop, cli_monitor, cli_training have"
    assert (applied.exit_code, accounts in applied.out) == (0, True)
    monkeypatch.setenv("MLOPS_STATE_URL", address.replace("//tester@", "//cli_decider@"))
    refused = run_cli("state", "grant", "--apply", cwd=model_project)
    assert (refused.exit_code, "the account cli_decider" in refused.err) == (9, True)


def test_grant_on_a_file_names_the_variable(model_project: Path, run_cli: CliRunner) -> None:
    run = run_cli("state", "grant", "--apply", cwd=model_project)
    assert (run.exit_code, "set MLOPS_STATE_URL to a PostgreSQL database" in run.err) == (2, True)
