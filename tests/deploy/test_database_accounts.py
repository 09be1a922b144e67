"""The accounts of a new database server, as the container makes them, on a real PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest
import yaml

from pipeline import state as store
from tests.deploy import dockerfile
from tests.fixtures import postgresql_server

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNTS_SQL = dockerfile.ROOT / "deploy/docker/accounts.sql"
COMPOSE = yaml.safe_load((dockerfile.ROOT / "deploy/docker/compose.yaml").read_text(encoding="utf-8"))
# Account -> the only database that it may enter.
DATABASES = {
    **dict.fromkeys(("mlops_owner", *(f"mlops_{account}" for account in store.ACCOUNTS)), "mlops"),
    "mlflow": "mlflow",
}


class NewServer(NamedTuple):
    """A server after its first start, with our tables, and the passwords of its environment."""

    address: str
    passwords: dict[str, str]

    def url(self, account: str, database: str) -> str:
        return f"{self.address.replace('//tester@', f'//{account}@')}/{database}"


@pytest.fixture(scope="module")
def server(postgresql: str) -> Iterator[NewServer]:
    del postgresql  # says that the programs are there
    programs = postgresql_server.find_server_programs()
    assert programs is not None
    if shutil.which("psql") is None:
        pytest.skip("PostgreSQL's client programs are not installed (Debian: apt install postgresql-client)")
    names = re.findall(r"^\\getenv \w+ (\w+)$", ACCOUNTS_SQL.read_text(encoding="utf-8"), re.MULTILINE)
    passwords = {name: f"{name.lower()}'s" for name in names}
    with postgresql_server.running_server(programs) as address:
        run_accounts_sql(address, passwords)
        new_server = NewServer(address, passwords)
        owner = store.connect_to(new_server.url("mlops_owner", "mlops"), setting_name="here")
        store.upgrade_schema(owner, ACCOUNTS_SQL.parent)
        store.apply_grants(owner)
        owner.close()
        yield new_server


def run_accounts_sql(address: str, passwords: dict[str, str]) -> None:
    """Run the file as the entrypoint of the image does."""
    command = ["psql", "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-f", ACCOUNTS_SQL, f"{address}/postgres"]
    done = subprocess.run(command, env={**os.environ, **passwords}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_container_gets_each_password_that_the_file_reads(server: NewServer) -> None:
    given = set(COMPOSE["services"]["postgres"]["environment"])
    assert given == {*server.passwords, "POSTGRES_PASSWORD"}


def test_no_account_is_a_superuser_or_may_create_accounts_or_databases(server: NewServer) -> None:
    query = (
        "SELECT rolname FROM pg_roles WHERE rolname <> 'tester' AND rolname NOT LIKE 'pg\\_%'"
        " AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)"
    )
    with psycopg.connect(f"{server.address}/postgres") as connection:
        assert connection.execute(query).fetchall() == []
        memberships = "SELECT roleid::regrole FROM pg_auth_members WHERE member::regrole::text NOT LIKE 'pg\\_%'"
        assert connection.execute(memberships).fetchall() == []


def test_the_services_have_passwords_and_the_other_accounts_cannot_log_in_until_they_get_one(server: NewServer) -> None:
    with psycopg.connect(f"{server.address}/postgres") as connection:
        rows = connection.execute("SELECT rolname FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256%'").fetchall()
    assert {row[0] for row in rows} == {
        "mlops_owner",
        "mlops_api",
        "mlops_app",
        "mlops_monitor",
        "mlops_loop",
        "mlflow",
    }


@pytest.mark.parametrize("account", DATABASES)
def test_an_account_enters_its_own_database_only(server: NewServer, account: str) -> None:
    entered = []
    for database in ("mlops", "mlflow", "postgres", "template1"):
        try:
            psycopg.connect(server.url(account, database)).close()
        except psycopg.OperationalError as error:
            if "permission denied for database" in str(error):
                continue
            raise
        entered.append(database)
    assert entered == [DATABASES[account]]


@pytest.mark.parametrize("account", DATABASES)
def test_an_account_reads_no_file_and_starts_no_program_of_the_server(server: NewServer, account: str) -> None:
    for statement in (
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "CREATE EXTENSION adminpack",
        "ALTER SYSTEM SET log_statement = 'none'",
        "CREATE DATABASE other",
        "CREATE ROLE other",
    ):
        with (
            psycopg.connect(server.url(account, DATABASES[account]), autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement.encode())


def test_mlflow_creates_its_tables_in_its_own_database(server: NewServer) -> None:
    with psycopg.connect(server.url("mlflow", "mlflow")) as connection:
        connection.execute("CREATE TABLE experiments (id int)")
