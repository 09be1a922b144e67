"""A trained package, and a server with it in production for the tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.server_process import RunningServer, make_project, run_server
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.fixtures.project_databases import ProjectDatabases


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that was trained on a few hundred rows."""
    folder = tmp_path_factory.mktemp("package") / "first"
    write_small_package(folder, "personality", "model=logistic_regression", n_rows=400)
    return folder


@pytest.fixture(autouse=True)
def _own_database(
    request: pytest.FixtureRequest, databases: ProjectDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give each test its own database, unless it uses the server of its module."""
    if "server" not in request.fixturenames:
        databases.use_for(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def server(
    databases: ProjectDatabases, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server on loopback without authentication."""
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        databases.use_for(patch, root)
        make_project(root, [package])
        with run_server(root) as running_server:
            yield running_server


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as http_client:
        yield http_client
