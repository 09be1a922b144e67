"""Each acknowledged prediction is on the disk, and a prediction that cannot be written is not acknowledged."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from pipeline.serving import NotReady
from pipeline.state import open_state
from pipeline.state.tables import predictions
from tests.fixtures.project_databases import DATABASE_KIND
from tests.fixtures.proof import proof_rounds
from tests.fixtures.registered_project import make_engine, make_rows, row_body
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A database server syncs and fills disks of its own.
sqlite_only = pytest.mark.skipif(DATABASE_KIND != "sqlite", reason="tests the file of SQLite")

N_KILLS = proof_rounds(3, long=50)

# Predicts as often as it can, and prints the identifier of each prediction when it has it.
SERVER = """
import asyncio, json, sys
from pathlib import Path
from pipeline.serving.log_options import LogOptions
from tests.fixtures.registered_project import make_engine, row_body
ROW = row_body(json.loads(sys.argv[2]))

async def predict(engine, name):
    for number in range(int(sys.argv[3])):
        key = f"{sys.argv[4]}-{name}-{number}" if number % 2 else None
        prediction = json.loads(await engine.predict_row(ROW, LogOptions(key=key)))
        sys.stdout.write(prediction["prediction_id"] + "\\n")
        sys.stdout.flush()

async def main():
    engine = make_engine(Path(sys.argv[1]))
    await engine.start()
    assert engine.ready().is_ready, engine.ready()
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    await asyncio.gather(*(predict(engine, name) for name in range(8)))
    await engine.close()

asyncio.run(main())
"""


def start_server(root: Path, n_requests: int, tag: str, *before: str, **settings: Any) -> subprocess.Popen[str]:
    arguments = [str(root), json.dumps(make_rows(1)[0]), str(n_requests), tag]
    command = [*before, sys.executable, "-c", SERVER, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **settings)


def logged_ids(root: Path) -> list[str]:
    state = open_state(root)
    with state.reading() as connection:
        if state.is_file:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        ids = list(connection.execute(select(predictions.c.prediction_id)).scalars())
    state.close()
    return ids


@pytest.mark.usefixtures("starts_processes")
def test_a_kill_under_load_neither_loses_nor_doubles_an_acknowledged_prediction(project: Path) -> None:
    acknowledged: list[str] = []
    for number in range(N_KILLS):
        started = time.monotonic()
        process = start_server(project, 1_000_000, str(number))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert time.monotonic() - started < 30
        time.sleep(0.1 + 0.05 * number % 0.3)
        process.kill()
        lines = process.stdout.read().split("\n")
        process.stdout.close()
        process.wait()
        acknowledged += [line for line in lines[:-1] if line]
        ids = logged_ids(project)
        assert len(ids) == len(set(ids))
        assert set(acknowledged) <= set(ids)
    assert len(acknowledged) == len(set(acknowledged)) > N_KILLS


@sqlite_only
@pytest.mark.usefixtures("starts_processes")
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_log_is_synced_before_a_response_is_returned(project: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    process = start_server(
        project, 25, "traced", "strace", "-f", "-s", "64", "-e", "trace=fdatasync,fsync,write", "-o", str(trace)
    )
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert len(out.split()) == 201
    calls = trace.read_text().splitlines()
    responses = [at for at, line in enumerate(calls) if re.search(r'write\(1, "[0-9a-f]{8}-', line)]
    synced = [at for at, line in enumerate(calls) if re.search(r"f(data)?sync.* = 0$", line)]
    assert len(responses) == 200
    # A client sends its next request after a response. So two responses to one client have a sync in between, and
    # eight clients get at most eight responses between two syncs.
    for before, after in zip([0, *synced], [*synced, len(calls)], strict=True):
        assert sum(before < at < after for at in responses) <= 8
    assert synced[0] < responses[0]


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Let no file of this process grow beyond the size of a file, which a database sees as a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 1, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@sqlite_only
def test_a_full_disk_refuses_predictions_until_there_is_space(project: Path) -> None:
    async def run() -> list[str]:
        engine = make_engine(project)
        await engine.start()
        ids = [json.loads(await engine.predict_row(row_body(row)))["prediction_id"] for row in make_rows(5)]
        retry_after: list[int] = []
        with full_disk(project / "state/state.db-shm"):
            for row in make_rows(40):
                try:
                    ids.append(json.loads(await engine.predict_row(row_body(row)))["prediction_id"])
                except NotReady as error:
                    retry_after.append(error.retry_after_s)
            assert not engine.ready().is_ready
            assert "the prediction log is unavailable" in engine.ready().reason
        assert set(retry_after) == {2}
        await asyncio.sleep(1.1)
        ids.append(json.loads(await engine.predict_row(row_body(make_rows(1)[0])))["prediction_id"])
        assert engine.ready().is_ready
        await engine.close()
        return ids

    ids = asyncio.run(run())
    assert sorted(ids) == sorted(logged_ids(project))
    assert 6 <= len(ids) < 46


@sqlite_only
def test_unlogged_predictions_are_counted_where_they_are_allowed(project: Path) -> None:
    async def run() -> None:
        engine = make_engine(project, on_log_failure="serve_unlogged")
        await engine.start()
        with full_disk(project / "state/state.db-shm"):
            for row in make_rows(40):
                await engine.predict_row(row_body(row))
        status = engine.status()["log"]
        assert status["n_failures"] > 0
        assert status["n_unlogged"] + status["n_logged"] == 40
        assert engine.ready().is_ready
        await engine.close()
        assert len(logged_ids(project)) == status["n_logged"]

    asyncio.run(run())


def test_closing_completes_the_requests_in_progress(project: Path) -> None:
    async def run() -> list[str]:
        engine = make_engine(project)
        await engine.start()
        tasks = [asyncio.create_task(engine.predict_row(row_body(row))) for row in make_rows(200)]
        await asyncio.sleep(0)
        await engine.close()
        return [json.loads(body)["prediction_id"] for body in await asyncio.gather(*tasks)]

    assert sorted(asyncio.run(run())) == sorted(logged_ids(project))


@pytest.mark.usefixtures("starts_processes")
def test_the_serving_process_imports_no_training_package(project: Path) -> None:
    heavy = "{'mlflow', 'dvc', 'hydra', 'omegaconf', 'pandera', 'pandas', 'sklearn', 'matplotlib', 'alembic', 'scipy'}"
    code = SERVER + f"\nassert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)\n"
    code = code.replace("from tests.fixtures.registered_project import make_engine, row_body", LIGHT)
    command = [sys.executable, "-c", code, str(project), json.dumps(make_rows(1)[0]), "2", "light"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 17


LIGHT = """
from pipeline.config.config_loader import load_params
from pipeline.serving import Engine
def row_body(features): return json.dumps({"features": features}).encode()
def make_engine(root):
    serving = load_params().serving
    return Engine(root, "personality_model", serving.engine, serving.log)
"""
