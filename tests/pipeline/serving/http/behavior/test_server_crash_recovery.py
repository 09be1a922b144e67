"""Recovery of a running server from kills, database outages and full disks, on both databases."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from pipeline.state import open_state
from pipeline.state.tables import predictions
from tests.fixtures import postgresql_server
from tests.fixtures.proof import proof_rounds
from tests.fixtures.server_process import ROW, make_project, run_server
from tests.pipeline.serving.http.behavior.server_load import ServerLoad

pytestmark = [pytest.mark.xdist_group("serving"), pytest.mark.usefixtures("starts_processes")]

# The test prints how soon the server is ready again.
N_KILLS = proof_rounds(1, long=50)
# A folder on a file system of its own, of some 60 MB, that may be filled: `mount -t tmpfs -o size=60m tmpfs FOLDER`.
SMALL_DISK = os.environ.get("MLOPS_TEST_SMALL_DISK")
# The test prints how soon the server responds again.
N_STOPS = proof_rounds(1, long=20)


def logged_prediction_ids(root: Path) -> list[str]:
    state = open_state(root)
    with state.reading() as connection:
        prediction_ids = list(connection.execute(select(predictions.c.prediction_id)).scalars())
    state.close()
    return prediction_ids


@pytest.mark.usefixtures("state_database")
def test_a_killed_server_loses_no_acknowledged_row_and_is_ready_again(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package])
    acknowledged: list[str] = []
    ready_s: list[float] = []
    for _ in range(N_KILLS):
        with run_server(tmp_path) as server:
            load = ServerLoad(server)
            time.sleep(0.4)
            server.process.kill()
            load.join()
        acknowledged += load.prediction_ids
        began = time.monotonic()
        with run_server(tmp_path) as server, server.client() as client:
            assert client.get("/readyz").status_code == 200
            ready_s.append(time.monotonic() - began)
    logged = logged_prediction_ids(tmp_path)
    print(f"ready again after {sorted(ready_s)[N_KILLS // 2]:.2f} s, at most {max(ready_s):.2f} s")
    assert len(acknowledged) > 10 * N_KILLS
    assert set(acknowledged) - set(logged) == set()
    assert len(logged) == len(set(logged))


def test_a_database_outage_fails_requests_but_loses_no_row_and_needs_no_restart(
    package: Path, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_STATE_URL", postgresql_server.new_database(postgresql))
    make_project(tmp_path, [package])
    responses: list[tuple[int, str]] = []
    acknowledged: list[str] = []
    with run_server(tmp_path) as server, server.client() as client:

        def ask() -> int:
            response = client.post("/predict", json={"features": ROW})
            responses.append((response.status_code, response.headers.get("retry-after", "")))
            if response.status_code == 200:
                acknowledged.append(response.json()["prediction_id"])
            return response.status_code

        assert [ask() for _ in range(10)] == [200] * 10
        with postgresql_server.stopped_server(postgresql):
            assert [ask() for _ in range(10)] == [503] * 10
            assert client.get("/livez").status_code == 200
            assert client.get("/readyz").status_code == 503
        began = time.monotonic()
        while ask() != 200 and time.monotonic() - began < 10:
            time.sleep(0.1)
        print(f"answered again after {time.monotonic() - began:.2f} s")
        assert [ask() for _ in range(10)] == [200] * 10
        assert client.get("/readyz").status_code == 200
    assert set(responses) == {(200, ""), (503, "2")}
    assert sorted(logged_prediction_ids(tmp_path)) == sorted(acknowledged)


@pytest.mark.skipif(SMALL_DISK is None, reason="MLOPS_TEST_SMALL_DISK names no file system that may be filled")
def test_a_full_disk_fails_requests_but_loses_no_row_and_needs_no_restart(package: Path) -> None:
    disk = Path(str(SMALL_DISK))
    root, ballast = disk / "project", disk / "ballast"
    make_project(root, [package])
    before: list[str] = []
    with run_server(root) as server, server.client() as client:
        load = ServerLoad(server)
        time.sleep(1)
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as stream:
            while True:
                stream.write(bytes(4096))
        time.sleep(3)
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        before += load.prediction_ids
        ballast.unlink()
        time.sleep(5)
        assert client.get("/readyz").status_code == 200
        assert server.stop() == 0
        load.join()
    print(
        f"{len(load.prediction_ids)} responses, {len(load.prediction_ids) - len(before)} of them after the outage,"
        f" {len(load.failures)} requests refused"
    )
    assert len(load.prediction_ids) > len(before)
    assert {failure[:4] for failure in load.failures} == {"503 "}
    assert sorted(logged_prediction_ids(root)) == sorted(load.prediction_ids)


def test_immediate_stops_of_the_database_under_load_lose_no_acknowledged_row(
    package: Path, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_STATE_URL", postgresql_server.new_database(postgresql))
    make_project(tmp_path, [package])
    back_s: list[float] = []
    with run_server(tmp_path) as server, server.client() as client:
        load = ServerLoad(server)
        for _ in range(N_STOPS):
            time.sleep(0.3)
            with postgresql_server.stopped_server(postgresql):
                time.sleep(0.3)
            began = time.monotonic()
            while client.post("/predict", json={"features": ROW}).status_code != 200:
                assert time.monotonic() - began < 30, "the server does not reconnect"
                time.sleep(0.05)
            back_s.append(time.monotonic() - began)
        assert server.stop() == 0
        load.join()
    logged = logged_prediction_ids(tmp_path)
    print(
        f"{len(load.prediction_ids)} answered, {len(load.failures)} refused or cut off in {N_STOPS} stops;"
        f" answered again after {max(back_s):.2f} s at the latest"
    )
    assert len(load.prediction_ids) >= N_STOPS
    assert {failure.partition(" ")[0] for failure in load.failures if failure[0].isdigit()} == {"503"}
    assert set(load.prediction_ids) - set(logged) == set()
    assert len(logged) == len(set(logged))
