"""A tracking server that accepts connections and never responds does not affect predictions, from the start on."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.server_process import ROW, make_project, run_server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("starts_processes")
def test_no_prediction_fails_while_the_tracking_server_hangs(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path / "project", [package])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with run_server(tmp_path / "project", MLFLOW_TRACKING_URI=address) as server, server.client() as client:
            responses = [client.post("/predict", json={"features": ROW}).status_code for _ in range(100)]
            assert responses == [200] * 100
            assert client.post("/v1/activate").status_code == 200
        silent.settimeout(0)
        try:
            silent.accept()
        except BlockingIOError:
            return
        raise AssertionError("the server sent a request to the tracking server")
