"""A real server acknowledges nothing while its state database is lost, says so to its probes, and recovers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.project_databases import DATABASE_KIND
from tests.fixtures.server_process import ROW, make_project, run_server
from tests.pipeline.serving.test_storage_watch import FAULTS, NOTICED_WITHIN_S, database, logged_ids

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

pytestmark = [
    pytest.mark.xdist_group("serving"),
    pytest.mark.skipif(DATABASE_KIND != "sqlite", reason="tests the file of SQLite"),
]


def reaches_readiness(client: httpx.Client, status: int) -> bool:
    deadline = time.monotonic() + NOTICED_WITHIN_S
    while time.monotonic() < deadline:
        if client.get("/readyz").status_code == status:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.usefixtures("starts_processes")
def test_each_way_to_lose_the_database_is_noticed_in_two_seconds(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package])
    ids = []
    with run_server(tmp_path) as server, server.client() as client:
        for name, (break_it, repair) in FAULTS.items():
            break_it(tmp_path)
            assert reaches_readiness(client, 503), name
            assert [client.post("/predict", json={"features": ROW}).status_code for _ in range(3)] == [503] * 3, name
            repair(tmp_path)
            (tmp_path / "aside.db").unlink(missing_ok=True)
            if (tmp_path / "aside").exists():
                (tmp_path / "aside").rmdir()
            assert reaches_readiness(client, 200), name
            ids.append(client.post("/predict", json={"features": ROW}).json()["prediction_id"])
    assert set(ids[-1:]) <= logged_ids(database(tmp_path))
    lines = (tmp_path / "server.log").read_text()
    assert lines.count('"not ready"') >= len(FAULTS)
