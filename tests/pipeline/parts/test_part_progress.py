"""The progress of a job names what is missing, and the files of its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.errors import UsageError
from pipeline.parts import PartProgress, commit_parts, run_part, store_plan
from pipeline.storage import StoragePath
from tests.pipeline.parts.row_sums import RowSums, row_plan

if TYPE_CHECKING:
    from pathlib import Path


def test_missing_parts_are_named_until_the_job_is_committed(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    job, plan, folder = RowSums(tmp_path / "runs"), row_plan(), StoragePath.parse(tmp_path / "out")
    store_plan(plan, folder)
    files = [str(folder / run_part(job, plan, folder, number).files[0].name) for number in (0, 2)]
    progress = PartProgress.read(folder).as_dict()
    assert (progress["missing"], progress["n_done"], progress["is_committed"]) == ([1, 3], 2, False)
    assert progress["files"] == []
    others = [str(folder / run_part(job, plan, folder, number).files[0].name) for number in (1, 3)]
    with open_engine(LocalEngineConfig(kind="local", workers=1, retries=0, part_rows=3)) as engine:
        manifest = commit_parts(job, plan, folder, engine)
    progress = PartProgress.read(folder).as_dict()
    assert (progress["missing"], progress["n_done"], progress["is_committed"]) == ([], 4, True)
    assert progress["committed_by"] == manifest["committed_by"]
    assert progress["files"] == [files[0], others[0], files[1], others[1]]


def test_a_folder_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no plan"):
        PartProgress.read(StoragePath.parse(tmp_path))
