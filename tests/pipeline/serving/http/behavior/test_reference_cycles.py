"""A request leaves no reference cycles: collecting them would pause every response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.server_process import ROW, make_project, run_server

if TYPE_CHECKING:
    from pathlib import Path

COUNT_GARBAGE_SCRIPT = """
import atexit, gc, pathlib
atexit.register(lambda: pathlib.Path("garbage.txt").write_text(str(gc.collect())))
"""
N_REQUESTS = 1_000


@pytest.mark.usefixtures("starts_processes")
def test_requests_leave_no_cycles_of_objects(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package])
    (tmp_path / "counting").mkdir()
    (tmp_path / "counting/sitecustomize.py").write_text(COUNT_GARBAGE_SCRIPT)
    with run_server(tmp_path, PYTHONPATH=str(tmp_path / "counting")) as server, server.client() as client:
        for _ in range(N_REQUESTS):
            response = client.post("/predict", json={"features": ROW})
            assert response.status_code == 200, response.text
    assert int((tmp_path / "garbage.txt").read_text()) < N_REQUESTS
