"""A job is committed once, by one process, when all of its parts ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.errors import Conflict, IntegrityError, UsageError
from pipeline.parts import commit_parts, run_part, run_parts, store_plan
from pipeline.storage import StoragePath
from tests.pipeline.parts.row_sums import RowSums, row_plan

if TYPE_CHECKING:
    from pathlib import Path


def local() -> LocalEngineConfig:
    return LocalEngineConfig(kind="local", workers=1, retries=3, part_rows=3)


@pytest.fixture
def job(tmp_path: Path) -> RowSums:
    (tmp_path / "runs").mkdir()
    return RowSums(tmp_path / "runs")


def test_parts_of_other_schedulers_are_committed(tmp_path: Path, job: RowSums) -> None:
    plan, folder = row_plan(), StoragePath.parse(tmp_path / "out")
    store_plan(plan, folder)
    for number in (3, 1, 0, 1, 2):
        run_part(job, plan, folder, number)
    with open_engine(local()) as engine:
        assert commit_parts(job, plan, folder, engine)["n_rows"] == 10


def test_a_commit_names_the_parts_that_did_not_run(tmp_path: Path, job: RowSums) -> None:
    plan, folder = row_plan(), StoragePath.parse(tmp_path / "out")
    store_plan(plan, folder)
    run_part(job, plan, folder, 1)
    with open_engine(local()) as engine, pytest.raises(UsageError, match=r"3 parts of 4 did not run: 0, 2, 3;"):
        commit_parts(job, plan, folder, engine)


def test_a_second_commit_names_the_first(tmp_path: Path, job: RowSums) -> None:
    plan, folder = row_plan(), StoragePath.parse(tmp_path / "out")
    with open_engine(local()) as engine:
        manifest = run_parts(job, plan, folder, engine)
        with pytest.raises(Conflict, match=rf"{manifest['committed_by']} committed this job at"):
            commit_parts(job, plan, folder, engine)
        assert run_parts(job, plan, folder, engine) == manifest


@pytest.mark.parametrize("name", ["_plan.json", "_manifest.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_damaged_file_of_a_job_is_named(tmp_path: Path, job: RowSums, name: str, content: bytes) -> None:
    folder = StoragePath.parse(tmp_path / "out")
    store_plan(row_plan(), folder)
    (folder / name).write_bytes(content)
    with open_engine(local()) as engine, pytest.raises(IntegrityError, match=f"{name}: is no (plan|manifest)"):
        run_parts(job, row_plan(), folder, engine)
