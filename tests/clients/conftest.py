"""A server of both protocols for the clients of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.server_process import RunningServer, make_project, run_server
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.project_databases import ProjectDatabases


@pytest.fixture(scope="session")
def protocol_server(databases: ProjectDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of HTTP and gRPC on loopback without authentication."""
    root = tmp_path_factory.mktemp("project")
    package = tmp_path_factory.mktemp("package") / "first"
    write_small_package(package, "personality", "model=logistic_regression", n_rows=400)
    with pytest.MonkeyPatch.context() as patch:
        databases.use_for(patch, root)
        make_project(root, [package])
        with run_server(root, "--grpc-port", "0") as server:
            yield server
