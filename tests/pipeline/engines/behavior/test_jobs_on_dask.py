"""Jobs have the same bytes on a cluster as in one process, also when a worker and the driver are killed."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.monitoring.counting import CountJob, plan_counts
from pipeline.part_validation import ValidationJob, plan_validation
from pipeline.parts import find_source_files, read_manifest, read_records, run_parts
from pipeline.serving.files.scoring_job import ScoringJob
from pipeline.storage import StoragePath
from tests.fixtures.proof import is_long
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.monitoring.counting.counted_files import scored_frame
from tests.pipeline.part_validation.checked_files import declare, make_rows
from tests.pipeline.parts.interrupted_job import InterruptedJob
from tests.pipeline.serving.files.scored_parts import comparable, many_rows, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.engine_config import DaskEngineConfig
    from pipeline.parts import PartPlan
    from tests.pipeline.serving.files.conftest import PartScoring

pytestmark = [pytest.mark.xdist_group("clusters"), pytest.mark.usefixtures("starts_processes")]

N_ROWS, N_PARTS = (10_000_000, 16) if is_long() else (80_000, 8)
N_LOCAL = (1, 2) if is_long() else (1,)
_KILLED_PART, _LAST_PART = 3, 5
IN_PROCESS = LocalEngineConfig(kind="local", workers=1, retries=0, part_rows=1)


def test_counts_are_equal(dask_config: DaskEngineConfig, scoring: PartScoring, tmp_path: Path) -> None:
    scored_frame(scoring.package, 2_000).to_parquet(tmp_path / "in.parquet", row_group_size=250)
    plan = plan_counts(scoring.package, [StoragePath.parse(tmp_path / "in.parquet")], predicts=False, part_rows=250)
    assert len(plan.parts) == 8
    for name, config in (("here", IN_PROCESS), ("cluster", dask_config)):
        with open_engine(config) as engine:
            run_parts(CountJob(tmp_path), plan, StoragePath.parse(tmp_path / name), engine)
    assert (tmp_path / "cluster/counts.json").read_bytes() == (tmp_path / "here/counts.json").read_bytes()


def test_reports_are_equal(dask_config: DaskEngineConfig, tmp_path: Path) -> None:
    config = declare(unique=["many", "day"])
    make_rows(4_000).to_parquet(tmp_path / "in.parquet", row_group_size=500, index=False)
    sources = [StoragePath.parse(tmp_path / "in.parquet")]
    for name, engine_config in (("here", IN_PROCESS), ("cluster", dask_config)):
        with open_engine(engine_config) as engine:
            plan = plan_validation(sources, config, engine, part_rows=500)
            run_parts(ValidationJob(), plan, StoragePath.parse(tmp_path / name), engine)
    assert (tmp_path / "cluster/validation.json").read_bytes() == (tmp_path / "here/validation.json").read_bytes()


def test_a_killed_worker_and_a_killed_driver_change_nothing(
    dask_config: DaskEngineConfig, scoring: PartScoring, tmp_path: Path
) -> None:
    source = write_rows(tmp_path / "in.parquet", many_rows(N_ROWS), group_rows=N_ROWS // N_PARTS)
    plan = scoring.plan(source, part_rows=N_ROWS // N_PARTS)
    expected = [comparable(scoring.run(plan, output=f"local-{workers}", workers=workers)) for workers in N_LOCAL]
    job = InterruptedJob(ScoringJob(scoring.root), tmp_path / "runs", held=(_KILLED_PART, _LAST_PART))
    job.runs.mkdir()
    driver = start_driver(tmp_path / "driver.pickle", dask_config, job, plan, scoring)
    os.kill(job.held_process(_KILLED_PART), signal.SIGKILL)
    job.wait_for_runs(_KILLED_PART, n_runs=2)
    job.release(_KILLED_PART)
    job.held_process(_LAST_PART)
    driver.kill()
    driver.wait(timeout=20)
    done = set(read_records(scoring.folder(), plan_digest=plan.digest))
    n_runs = job.n_runs()
    assert read_manifest(scoring.folder()) is None
    job.release(_LAST_PART)
    with open_engine(dask_config) as engine:
        manifest = run_parts(job, plan, scoring.folder(), engine)

    assert manifest["n_rows"] == N_ROWS
    assert [comparable(manifest)] * len(N_LOCAL) == expected
    assert scoring.output().equals(scoring.output("local-1"))
    assert len(done) >= _KILLED_PART
    assert {number: job.n_runs()[number] for number in done} == {number: n_runs[number] for number in done}
    listed = sorted(file["name"] for part in manifest["parts"] for file in part["files"])
    assert sorted(path.name for path in find_source_files([scoring.folder()])) == listed


def start_driver(
    path: Path, config: DaskEngineConfig, job: InterruptedJob, plan: PartPlan, scoring: PartScoring
) -> subprocess.Popen[bytes]:
    path.write_bytes(pickle.dumps((config, job, plan, scoring.folder())))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.engines.behavior.part_driver", path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
