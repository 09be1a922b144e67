"""Parts run once each, continue after a failure, and give one manifest whatever runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.errors import DataError, UsageError
from pipeline.parts import read_manifest, run_part, run_parts
from pipeline.storage import StoragePath
from tests.pipeline.parts.row_sums import RowSums, row_plan

if TYPE_CHECKING:
    from pathlib import Path


def local(workers: int = 1) -> LocalEngineConfig:
    return LocalEngineConfig(kind="local", workers=workers, retries=3, part_rows=3)


def comparable(manifest: dict) -> dict:
    """Return a manifest without what differs between runs: names of attempts, moment and process."""
    parts = [{**part, "files": [{**file, "name": ""} for file in part["files"]]} for part in manifest["parts"]]
    return {**manifest, "parts": parts, "committed_at": "", "committed_by": ""}


@pytest.fixture
def job(tmp_path: Path) -> RowSums:
    (tmp_path / "runs").mkdir()
    return RowSums(tmp_path / "runs")


def test_the_manifest_does_not_depend_on_the_number_of_workers(tmp_path: Path, job: RowSums) -> None:
    manifests = []
    for workers in (1, 2):
        with open_engine(local(workers)) as engine:
            folder = StoragePath.parse(tmp_path / f"out-{workers}")
            manifests.append(comparable(run_parts(job, row_plan(), folder, engine)))
    assert manifests[0] == manifests[1]
    assert manifests[0]["result"] == {"sum": sum(range(10))}


def test_a_run_after_a_failure_runs_the_missing_parts_alone(tmp_path: Path, job: RowSums) -> None:
    folder = StoragePath.parse(tmp_path / "out")
    with open_engine(local()) as engine:
        with pytest.raises(DataError, match="part 2 is refused"):
            run_parts(RowSums(job.runs, refused=2), row_plan(), folder, engine)
        assert read_manifest(folder) is None
        run_parts(job, row_plan(), folder, engine)
    assert {path.name: path.read_text() for path in job.runs.iterdir()} == {"0": "x", "1": "x", "2": "x", "3": "x"}


def test_a_part_beyond_the_plan_is_refused(tmp_path: Path, job: RowSums) -> None:
    with pytest.raises(UsageError, match="part 4: the plan has parts 0 to 3"):
        run_part(job, row_plan(), StoragePath.parse(tmp_path), 4)
