"""The process imports little, shuts down gracefully, and needs neither MLflow nor DVC."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from pipeline.state import open_state
from pipeline.state.tables import predictions
from tests.fixtures.project_databases import DATABASE_KIND
from tests.fixtures.proof import proof_rounds
from tests.fixtures.server_process import ROW, make_project, run_server
from tests.pipeline.serving.http.behavior.server_load import ServerLoad

pytestmark = [pytest.mark.xdist_group("serving"), pytest.mark.usefixtures("starts_processes")]

N_STOPS = proof_rounds(1, long=20)


@pytest.fixture
def project(package: Path, tmp_path: Path) -> Path:
    make_project(tmp_path, [package])
    return tmp_path


def test_sigterm_under_load_loses_nothing_and_ends_with_0(project: Path) -> None:
    acknowledged: list[str] = []
    for _ in range(N_STOPS):
        with run_server(project) as server:
            load = ServerLoad(server)
            time.sleep(0.5)
            began = time.monotonic()
            code = server.stop()
            duration_s = time.monotonic() - began
            load.join()
        assert (load.failures, code) == ([], 0)
        assert duration_s < 10
        acknowledged += load.prediction_ids
    state = open_state(project)
    with state.reading() as connection:
        logged = set(connection.execute(select(predictions.c.prediction_id)).scalars())
    state.close()
    assert len(acknowledged) > 100 * N_STOPS
    assert set(acknowledged) - logged == set()
    assert len(set(acknowledged)) == len(acknowledged)


# The server, which writes down at its end what it had imported.
_LIST_MODULES_SCRIPT = """
import atexit, pathlib, sys
atexit.register(lambda: pathlib.Path("modules.txt").write_text(" ".join(sys.modules)))
from pipeline.serving.__main__ import main
main()
"""


def test_the_serving_process_is_light_and_imports_no_heavy_package(project: Path) -> None:
    with run_server(project, program=("-c", _LIST_MODULES_SCRIPT)) as server:
        with server.client() as client:
            for path in ("/predict", "/v1/explain"):
                assert client.post(path, json={"features": ROW}).status_code == 200
            for path in ("/metrics", "/openapi.json", "/docs", "/v1/models", "/v1/status"):
                assert client.get(path).status_code == 200
            assert client.post("/predict/batch", json={"instances": [ROW]}).status_code == 200
            assert client.post("/v1/activate").status_code == 200
        n_kb = _resident_kb(server.process.pid)
        assert server.stop() == 0
    modules = (project / "modules.txt").read_text().split()
    imported = {name.partition(".")[0] for name in modules}
    heavy = {"mlflow", "dvc", "hydra", "omegaconf", "pandera", "pandas", "sklearn", "matplotlib", "scipy", "alembic"}
    assert "uvicorn" in imported
    assert imported & heavy == set()
    assert imported & {"rich", "pygments"} == set()
    assert ("sqlalchemy.dialects.postgresql" in modules) is (DATABASE_KIND == "postgresql")
    assert n_kb < 250_000


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_a_dead_tracking_server_changes_nothing(project: Path) -> None:
    with run_server(project, MLFLOW_TRACKING_URI="http://127.0.0.1:1") as server, server.client() as client:
        assert client.get("/readyz").status_code == 200
        assert {client.post("/predict", json={"features": ROW}).status_code for _ in range(100)} == {200}


def test_without_a_model_the_server_is_live_and_reports_not_ready(project: Path) -> None:
    with run_server(project, "--stage", "Staging") as server, server.client() as client:
        assert client.get("/livez").status_code == 200
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"], "retry-after" in ready.headers) == (503, False, True)
        response = client.post("/predict", json={"features": ROW})
        assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
        assert int(response.headers["retry-after"]) >= 1
        assert client.get("/openapi.json").status_code == 200


def test_a_port_in_use_is_an_error_with_a_remedy(project: Path) -> None:
    with run_server(project) as first:
        command = [sys.executable, "-m", "pipeline.serving", "--port", str(first.port)]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert (done.returncode, "stop the program that does, or choose another --port" in done.stderr) == (7, True)
