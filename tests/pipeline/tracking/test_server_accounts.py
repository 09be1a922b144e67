"""A tracking server with accounts, its own database and proxied artifacts, started as in Docker Compose."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.security import generate_password_hash

from pipeline.errors import DependencyUnavailable
from pipeline.tracking import ExperimentTracker, TrackingWarning, make_tracker, sync_runs
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.tracking.conftest import free_port, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.config.root_config import Config

# One worker starts the server that these tests share.
pytestmark = [pytest.mark.xdist_group("accounts"), pytest.mark.usefixtures("starts_processes")]

ADMIN, WRITER = "first-account-4711", "writer-account-4711"  # pragma: allowlist secret


@pytest.fixture(scope="module")
def guarded(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with the accounts `admin` and `writer`."""
    pytest.importorskip("flask_wtf", reason="MLflow's accounts need flask-wtf; `make test` installs it")
    folder, port = tmp_path_factory.mktemp("guarded"), free_port()
    declared = (ROOT / "deploy/docker/mlflow.ini").read_text(encoding="utf-8")
    (folder / "mlflow.ini").write_text(declared.replace("/app/state/users.db", f"{folder}/users.db"), encoding="utf-8")
    environment = {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "mlflow.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "for a test",
    }
    address = f"http://127.0.0.1:{port}"
    with server(empty_store, folder, port, "--app-name", "basic-auth", "--serve-artifacts", **environment):
        for password in ("password-before-4711", WRITER):
            create_account(address, "writer", password)
        hash_cheaply(folder / "users.db", WRITER)
        yield address
    log = (folder / "log").read_text(encoding="utf-8", errors="replace")
    assert ADMIN not in log
    assert WRITER not in log


def create_account(address: str, name: str, password: str, *, admin_password: str = ADMIN) -> str:
    """Create an account as Compose does, and return what the program prints."""
    variables = {
        "MLFLOW_TRACKING_URI": address,
        "MLFLOW_AUTH_ADMIN_PASSWORD": admin_password,
        "MLFLOW_ACCOUNT_PASSWORD": password,
    }
    program = [sys.executable, "-I", ROOT / "deploy/docker/create_account.py", name]
    done = subprocess.run(program, env=variables, capture_output=True, text=True, check=False)
    assert admin_password not in done.stdout + done.stderr
    assert bool(done.stderr) == (done.returncode != 0), done.stderr
    return done.stdout or done.stderr


def hash_cheaply(database: Path, password: str) -> None:
    """Store the writer's password with one round of hashing, as the server checks it at each of 130 requests."""
    with closing(sqlite3.connect(database)) as connection, connection:
        cheap = generate_password_hash(password, method="pbkdf2:sha256:1")
        connection.execute("UPDATE users SET password_hash = ? WHERE username = 'writer'", (cheap,))


def as_user(patch: pytest.MonkeyPatch, name: str, password: str) -> None:
    patch.setenv("MLFLOW_TRACKING_USERNAME", name)
    patch.setenv("MLFLOW_TRACKING_PASSWORD", password)


def work(tracker: ExperimentTracker, folder: Path) -> None:
    (folder / "note.txt").write_text("stored by the server", encoding="utf-8")
    with tracker.start_run("guarded"):
        tracker.log_metrics({"accuracy": 0.5})
        tracker.log_artifact(folder / "note.txt")


def test_an_account_of_the_environment_writes_runs_and_artifacts_through_the_server(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, "writer", WRITER)
    tracker = ExperimentTracker("guarded", guarded, tmp_path)
    work(tracker, tmp_path)
    (run,) = tracker.search_runs()
    assert (run.status, run.metrics) == ("FINISHED", {"accuracy": 0.5})
    assert tracker.store.client().get_run(run.run_id).info.artifact_uri.startswith("mlflow-artifacts:")
    downloaded = tracker.store.download(run.run_id, "note.txt", tmp_path)
    assert downloaded.read_text(encoding="utf-8") == "stored by the server"
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("password", [None, "wrong-password-4711"])
def test_a_call_without_an_account_names_the_variables_and_loses_nothing(
    password: str | None, guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    if password is not None:
        as_user(monkeypatch, "writer", password)
    tracker = ExperimentTracker("guarded", guarded, tmp_path)
    with pytest.raises(
        DependencyUnavailable, match="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    ) as error:
        tracker.search_runs()
    assert "4711" not in str(error.value)
    with pytest.warns(TrackingWarning, match="set MLFLOW_TRACKING_USERNAME"):
        work(ExperimentTracker("guarded", guarded, tmp_path), tmp_path)
    stored = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert any(path.name == "note.txt" for path in stored)
    assert not any(re.search(rb"4711", path.read_bytes()) for path in stored)


def test_the_account_of_the_services_is_no_administrator(guarded: str) -> None:
    refused = requests.post(
        f"{guarded}/api/2.0/mlflow/users/create",
        json={"username": "other", "password": "other-account-4711"},
        auth=("writer", WRITER),
        timeout=30,
    )
    assert refused.status_code == 403


def test_a_wrong_password_of_the_administrator_is_named(guarded: str) -> None:
    printed = create_account(guarded, "writer", WRITER, admin_password="wrong-password-4711")
    assert printed.strip().endswith("check MLFLOW_AUTH_ADMIN_PASSWORD")


def test_results_and_pending_runs_are_synced_with_the_right_account(
    guarded: str, finished: tuple[Path, Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, config = finished
    monkeypatch.setenv(config.tracking.uri_env, guarded)
    as_user(monkeypatch, "writer", "wrong-password-4711")
    with pytest.raises(DependencyUnavailable, match="set MLFLOW_TRACKING_USERNAME"):
        sync_runs(root, config.tracking)
    with pytest.warns(TrackingWarning, match="set MLFLOW_TRACKING_USERNAME"):
        work(make_tracker(config.tracking), root)
    as_user(monkeypatch, "writer", WRITER)
    first = sync_runs(root, config.tracking)
    assert (len(first.sent_run_ids), [run.is_new for run in first.published]) == (1, [True])
    assert {run.run_id for run in make_tracker(config.tracking).search_runs()} == {
        *first.sent_run_ids,
        first.published[0].run_id,
    }
    second = sync_runs(root, config.tracking)
    assert (second.sent_run_ids, [run.is_new for run in second.published]) == ((), [False])
