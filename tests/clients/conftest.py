"""A server of both protocols for the clients of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.server_process import RunningServer, run_server, small_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.project_databases import ProjectDatabases


@pytest.fixture(scope="session")
def protocol_server(databases: ProjectDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of HTTP and gRPC on loopback without authentication."""
    with small_project(databases, tmp_path_factory) as root, run_server(root, "--grpc-port", "0") as server:
        yield server
