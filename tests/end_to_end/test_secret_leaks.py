"""Secrets that are planted wherever people keep them turn up in no log, database, artifact, report or response."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from tests.fixtures import postgresql_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.workspace import Workspace


ROW = {"Time_spent_Alone": 4, "Stage_fear": "No"}


class Canaries:
    """Random words by where they were planted, and the text that leaked."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def plant(self, where: str) -> str:
        return self.planted.setdefault(where, f"canary{secrets.token_hex(12)}")

    def in_text(self, seen: str) -> set[str]:
        return {where for where, word in self.planted.items() if word in seen}

    def in_files(self, root: Path, *, planted_in: set[Path]) -> dict[str, str]:
        """Return the file of each word that leaked below a folder, outside of the files where it was planted."""
        leaks = {}
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink() and path not in planted_in:
                content = path.read_bytes()
                for where, word in self.planted.items():
                    if word.encode() in content:
                        leaks[where] = str(path.relative_to(root))
        return leaks


@pytest.fixture
def database() -> Iterator[str]:
    """A PostgreSQL server's address up to the user's name."""
    folder = postgresql_server.find_server_programs()
    if folder is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have PostgreSQL; .ci/run installs it")
        pytest.skip("PostgreSQL's server is not installed (Debian: apt install postgresql)")
    with postgresql_server.running_server(folder) as address:
        engine = create_engine(
            f"{address}/postgres".replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE state"))
        engine.dispose()
        yield address.removeprefix("postgresql://tester@")


def test_twelve_planted_secrets_turn_up_nowhere(small: Workspace, database: str) -> None:
    canaries = Canaries()
    env = _environment(canaries, database)
    hidden = small.root / ".env"
    hidden.write_text(f"PASSWORD={canaries.plant('file')}\n", encoding="utf-8")
    small.run("git", "remote", "add", "origin", f"https://me:{canaries.plant('git remote')}@example.org/x.git")
    printed = _commands(small, canaries, env)
    key = json.loads(small.run("mlops", "keys", "create", "--role", "predict", "--json", env=env).stdout)
    canaries.planted["API key"] = key["key"]
    printed += _server_output(small, canaries, env)
    assert len(canaries.planted) >= 12
    assert canaries.in_text(printed) == set()
    planted_in = {hidden, small.root / ".git/config"}
    assert canaries.in_files(small.root, planted_in=planted_in) == {}
    assert canaries.in_text(_dump(database)) == set()


def _environment(canaries: Canaries, database: str) -> dict[str, str]:
    return {
        "MLOPS_STATE_URL": f"postgresql://tester:{canaries.plant('URL of the state')}@{database}/state",
        "ROWS_URL": f"postgresql+psycopg://tester:{canaries.plant('URL of the rows')}@{database}/none",
        "MLFLOW_TRACKING_URI": f"http://me:{canaries.plant('URL of MLflow')}@127.0.0.1:9",
        "MLFLOW_TRACKING_PASSWORD": canaries.plant("password of MLflow"),
        "MLFLOW_TRACKING_TOKEN": canaries.plant("token of MLflow"),
        "AWS_SECRET_ACCESS_KEY": canaries.plant("key of the store"),
        "PGPASSWORD": canaries.plant("password of PostgreSQL"),
        "MLOPS_LOG_KEY": canaries.plant("environment"),
    }


def _commands(small: Workspace, canaries: Canaries, env: dict[str, str]) -> str:
    """Run commands that use those addresses and an unknown override; return their output."""
    override = f"+password={canaries.plant('override')}"
    sql = ["~data.source.rows", "~data.source.seed", "data.source.kind=sql"]
    sql += ["+data.source.url_env=ROWS_URL", "+data.source.query='SELECT 1 AS a ORDER BY a'"]
    commands = [
        ["dvc", "repro", "--force", "--single-item", "register"],
        ["mlops", "tracking", "sync"],
        ["mlops", "doctor"],
        ["mlops", "audit", "list"],
        ["python", "-m", "stages.train", override],
        ["python", "-m", "stages.ingest", *sql],
        ["python", "-m", "stages.monitor"],
        ["mlops", "models", "show", "1", "--lineage"],
    ]
    output = ""
    for command in commands:
        done = subprocess.run(
            command, cwd=small.root, env=small.environment(**env), capture_output=True, text=True, check=False
        )
        output += done.stdout + done.stderr
    return output


def _server_output(small: Workspace, canaries: Canaries, env: dict[str, str]) -> str:
    """Ask a server with a good key, a wrong one and a body that carries a secret; return its responses and log."""
    small.edit("conf/serving/default.yaml", "log_requests: errors", "log_requests: all")
    with small.serving("mlops", "serve", "--authentication", "required", env=env) as port:
        output = "".join(
            _post(f"http://127.0.0.1:{port}/{path}", body, token)
            for path, body, token in (
                ("predict", {"features": ROW}, canaries.planted["API key"]),
                ("predict", {"features": ROW}, canaries.plant("wrong token")),
                (
                    "predict",
                    {"features": ROW | {"Time_spent_Alone": canaries.plant("number")}},
                    canaries.planted["API key"],
                ),
                ("predict", {"features": ROW | {"Stage_fear": canaries.plant("value")}}, canaries.planted["API key"]),
                ("v1/status", None, canaries.planted["API key"]),
            )
        )
    return output + small.read("server.log")


def _post(url: str, body: object, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=10) as response:
            return f"{response.status} {response.headers} {response.read().decode()}\n"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.headers} {error.read().decode()}\n"


def _dump(database: str) -> str:
    """Return every row of every table of the state database."""
    engine = create_engine(f"postgresql+psycopg://tester@{database}/state")
    with engine.connect() as connection:
        tables = connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).scalars()
        output = "".join(
            f"{row}\n" for table in list(tables) for row in connection.execute(text(f'SELECT * FROM "{table}"'))
        )
    engine.dispose()
    assert "personality_model" in output
    return output
