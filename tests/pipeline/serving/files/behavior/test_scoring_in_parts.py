"""Killed workers and drivers lose no row and repeat none, on a disk and in an object store."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from sqlalchemy import select

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.errors import Conflict
from pipeline.parts import find_source_files, read_manifest, run_parts
from pipeline.serving.files.scoring_job import ScoringJob
from pipeline.state import open_state
from pipeline.state.tables import predictions
from pipeline.storage import StoragePath
from tests.fixtures.proof import is_long
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.serving.files.scored_parts import (
    comparable,
    digest_of_rows,
    manifest_of,
    many_rows,
    read_output,
    write_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fixtures.cli import CliRunner
    from tests.pipeline.serving.files.conftest import PartScoring

N_ROWS, N_PARTS = (10_000_000, 16) if is_long() else (200_000, 8)
PART_ROWS = N_ROWS // N_PARTS
# Few rows at once are slow, so that a kill comes in the middle; the bytes are the same.
CHUNK_ROWS = 20_000 if is_long() else 50
MLOPS = [sys.executable, "-c", "from pipeline.cli import main; main()"]


@pytest.fixture
def rows_project(project: Path) -> Path:
    """The registered project with its settings and many rows."""
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    write_rows(project / "in.parquet", many_rows(N_ROWS).drop_columns("id"), group_rows=PART_ROWS)
    return project


@contextmanager
def started(project: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start `mlops predict`; afterwards neither it nor a process of it is left."""
    command = [*MLOPS, "predict", *words, "--part-rows", str(PART_ROWS), "--chunk-rows", str(CHUNK_ROWS)]
    process = subprocess.Popen(command, cwd=project, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(check: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + 300
    while not check():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, "the driver ended before it was killed"
        time.sleep(0.002)


def n_records(folder: StoragePath) -> int:
    return sum(entry.path.suffix == ".json" for entry in (folder / "_records").list_files())


def worker_pids(driver: subprocess.Popen[bytes]) -> list[int]:
    children = psutil.Process(driver.pid).children()
    return [child.pid for child in children if any("spawn_main" in word for word in child.cmdline())]


def kill_worker_then_driver(project: Path) -> None:
    """Score to `out/` with two workers; one is killed after three parts, and the driver after five."""
    folder = StoragePath.parse(project / "out")
    with started(project, "in.parquet", "-o", "out/", "--workers", "2") as driver:
        wait_until(lambda: n_records(folder) >= 3, driver)
        os.kill(worker_pids(driver)[0], signal.SIGKILL)
        wait_until(lambda: n_records(folder) >= 5, driver)
        workers = worker_pids(driver)
        driver.kill()
        driver.wait()
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in workers))


@pytest.mark.usefixtures("starts_processes")
def test_kills_of_a_worker_and_of_the_driver_change_nothing(rows_project: Path, run_cli: CliRunner) -> None:
    words = ("predict", "in.parquet", "--part-rows", PART_ROWS, "--json")
    run_cli(*words, "-o", "whole/", cwd=rows_project)
    kill_worker_then_driver(rows_project)
    out = rows_project / "out"
    assert not (out / "_manifest.json").exists()
    done = {record["number"]: record for record in map(_read_json, sorted((out / "_records").glob("[0-9]*.json")))}
    stale = out / f"part-000000-{'0' * 8}.parquet"
    shutil.copyfile(out / done[min(done)]["files"][0]["name"], stale)
    report = json.loads(run_cli(*words, "-o", "out/", cwd=rows_project).out)
    manifest, whole = manifest_of(out), manifest_of(rows_project / "whole")
    assert (report["rows"], report["resumed"]) == (N_ROWS, sum(record["n_rows"] for record in done.values()))
    assert comparable(manifest) == comparable(whole)
    names = [part["files"][0]["name"] for part in manifest["parts"]]
    assert {number: names[number] for number in done} == {
        number: record["files"][0]["name"] for number, record in done.items()
    }
    found = find_source_files([StoragePath.parse(out)])
    assert sorted(path.name for path in found) == sorted(names)
    assert stale.exists()
    outputs = [read_output(StoragePath.parse(rows_project / name)) for name in ("out", "whole")]
    assert outputs[0].num_rows == N_ROWS
    assert len({digest_of_rows(output) for output in outputs}) == 1


def _read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


@pytest.mark.usefixtures("starts_processes")
def test_a_driver_that_dies_leaves_no_manifest_in_an_object_store(
    rows_project: Path, s3_bucket: str, run_cli: CliRunner
) -> None:
    source, folder = StoragePath.parse(f"{s3_bucket}/in/rows.parquet"), StoragePath.parse(f"{s3_bucket}/out")
    source.write_bytes((rows_project / "in.parquet").read_bytes())
    words = (f"{s3_bucket}/in/", "-o", str(folder))
    with started(rows_project, *words) as driver:
        wait_until(lambda: n_records(folder) >= 3, driver)
        driver.kill()
    assert read_manifest(folder) is None
    report = json.loads(run_cli("predict", *words, "--part-rows", PART_ROWS, "--json", cwd=rows_project).out)
    assert report["resumed"] >= 3 * PART_ROWS
    run_cli("predict", "in.parquet", "-o", "whole/", cwd=rows_project)
    whole = read_output(StoragePath.parse(rows_project / "whole"))
    assert digest_of_rows(read_output(folder)) == digest_of_rows(whole)


@pytest.fixture(params=["disk", "object store"])
def address(request: pytest.FixtureRequest, scoring: PartScoring) -> str:
    """A folder of rows on a disk or in an object store."""
    base = request.getfixturevalue("s3_bucket") if request.param == "object store" else str(scoring.root)
    path = write_rows(scoring.root / "rows.parquet", many_rows(300), group_rows=60)
    StoragePath.parse(f"{base}/in/rows.parquet").write_bytes(path.read_bytes())
    return base


def test_of_two_drivers_one_commits_and_the_other_names_it(scoring: PartScoring, address: str) -> None:
    plan = scoring.plan(f"{address}/in", output=f"{address}/out")
    folder = StoragePath.parse(f"{address}/out")
    first: list[Any] = []

    def overtake(n_done: int, n_all: int) -> None:
        if n_done == n_all and not first:
            first.append(_run(scoring, plan, folder))

    with open_engine(_local()) as engine, pytest.raises(Conflict, match=r"committed this job at .* is complete"):
        run_parts(ScoringJob(scoring.root), plan, folder, engine, on_progress=overtake)
    assert read_manifest(folder) == first[0]
    assert read_output(folder).num_rows == 300


def test_two_drivers_at_once_give_one_manifest(scoring: PartScoring, address: str) -> None:
    plan = scoring.plan(f"{address}/in", output=f"{address}/out")
    folder = StoragePath.parse(f"{address}/out")
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(_run, scoring, plan, folder) for _ in range(2)]
    errors = [run.exception() for run in runs]
    manifests = [run.result() for run, error in zip(runs, errors, strict=True) if error is None]
    assert {type(error) for error in errors if error is not None} <= {Conflict}
    assert manifests
    assert all(manifest == read_manifest(folder) for manifest in manifests)
    assert read_output(folder)["id"].to_pylist() == list(range(300))


def _run(scoring: PartScoring, plan: Any, folder: StoragePath) -> Any:
    with open_engine(_local()) as engine:
        return run_parts(ScoringJob(scoring.root), plan, folder, engine)


def _local() -> LocalEngineConfig:
    return LocalEngineConfig(kind="local", workers=1, retries=0, part_rows=100)


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize("state_database", ["postgresql"], indirect=True)
def test_several_workers_log_each_row_once_to_a_server(project_on: Path, run_cli: CliRunner) -> None:
    (project_on / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    write_rows(project_on / "in.parquet", many_rows(600).drop_columns("id"), group_rows=150)
    for output, workers in (("out/", 2), ("again/", 1)):
        words = ("in.parquet", "-o", output, "--log", "--workers", workers, "--part-rows", 150)
        result = run_cli("predict", *words, cwd=project_on)
        assert result.exit_code == 0, result.err
    state = open_state(project_on)
    with state.reading() as connection:
        logged = sorted(connection.execute(select(predictions.c.prediction_id)).scalars())
    state.close()
    output_ids = read_output(StoragePath.parse(project_on / "out"))["prediction_id"].to_pylist()
    assert (len(logged), output_ids) == (600, logged)


@pytest.mark.usefixtures("starts_processes")
def test_a_file_for_a_file_imports_no_cluster(project: Path) -> None:
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    write_rows(project / "in.parquet", many_rows(30).drop_columns("id"))
    code = (
        "import sys; from pipeline.cli import main\n"
        "try: main(['predict', 'in.parquet', '-o', 'out.parquet'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "clusters = {'dask', 'distributed', 'ray', 'obstore', 'boto3', 'confluent_kafka'}\n"
        "is_named = lambda name: name.partition('.')[0] in clusters or name.startswith('pipeline.engines.')\n"
        "print(*filter(is_named, sorted(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    modules = process.stdout.splitlines()[-1].split()
    assert set(modules) <= {"pipeline.engines.local_engine", "pipeline.engines.part_engine"}
