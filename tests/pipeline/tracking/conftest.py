"""Tracking stores for tests: an SQLite file that is created once, a server on loopback, an unused address."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pipeline.tracking import ExperimentTracker
from tests.pipeline.tracking.graph_outputs import make_results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.config.root_config import Config


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an SQLite store without experiments: its migrations take seconds, so it is made once."""
    root = tmp_path_factory.mktemp("store")
    ExperimentTracker("nothing", root=root).store.client()
    return root


@pytest.fixture
def root(empty_store: Path, tmp_path: Path) -> Path:
    """A project's folder of one's own, with a store."""
    shutil.copy(empty_store / "mlflow.db", tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def tracker(root: Path) -> ExperimentTracker:
    return ExperimentTracker("trials", root=root)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    """Results of a small graph; read only."""
    root = tmp_path_factory.mktemp("made")
    return root, make_results(root)


@pytest.fixture
def finished(made: tuple[Path, Config], root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Config]:
    """The same in a project of one's own, with an empty store, as the working folder."""
    source, config = made
    shutil.copytree(source, root, dirs_exist_ok=True)
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    monkeypatch.chdir(root)
    for name in ("DVC_ROOT", "DVC_EXP_NAME", config.tracking.uri_env):
        monkeypatch.delenv(name, raising=False)
    return root, config


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def dead_address() -> str:
    return f"http://127.0.0.1:{free_port()}"


@contextmanager
def server(store: Path, folder: Path, port: int, *words: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real `mlflow server` on a copy of `store` in `folder`, and end it by its process id."""
    if not (folder / "server.db").exists():
        shutil.copy(store / "mlflow.db", folder / "server.db")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/server.db",
        "--artifacts-destination",
        f"{folder}/kept",
        *words,
    ]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **quiet, **environment}, stdout=log, stderr=log
        )
        try:
            wait_for(f"http://127.0.0.1:{port}", process)
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="session")
def server_address(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    with server(empty_store, tmp_path_factory.mktemp("server"), port):
        yield f"http://127.0.0.1:{port}"


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the server did not start")
