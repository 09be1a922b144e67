"""Each test of the state database runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from tests.pipeline.state import postgresql_server
from tests.pipeline.state.project_databases import DATABASE_KIND, ProjectDatabases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server."""
    folder = postgresql_server.find_server_programs()
    if folder is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have PostgreSQL; .ci/run installs it")
        pytest.skip("PostgreSQL's server is not installed (Debian: apt install postgresql)")
    with postgresql_server.running_server(folder) as address:
        yield address


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> ProjectDatabases:
    """Where the projects of tests keep their state."""
    return ProjectDatabases(None if DATABASE_KIND == "sqlite" else request.getfixturevalue("postgresql"))


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of state database."""
    return str(request.param)


@pytest.fixture
def address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return postgresql_server.new_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def state(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[store.State]:
    """An open database with our tables, without rows, whose clock counts 1, 2, 3 ..."""
    if kind == "sqlite":
        monkeypatch.setenv(store.URL_ENV, f"sqlite:///{tmp_path / 'state.db'}")
    else:
        on = request.getfixturevalue("postgresql")
        monkeypatch.setenv(
            store.URL_ENV, postgresql_server.new_database(on, template=postgresql_server.template_database(on))
        )
    ticks = count(1)
    opened = store.open_state(tmp_path, clock=lambda: next(ticks))
    yield opened
    opened.close()
