"""Only files that belong to no result are removed, and no young ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.parts import clean_parts, run_part, run_parts, store_plan
from pipeline.storage import StoragePath
from tests.pipeline.parts.row_sums import RowSums, row_plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("is_committed", [False, True])
def test_files_of_earlier_attempts_are_removed(tmp_path: Path, is_committed: bool) -> None:
    (tmp_path / "runs").mkdir()
    job, plan, folder = RowSums(tmp_path / "runs"), row_plan(), StoragePath.parse(tmp_path / "out")
    store_plan(plan, folder)
    stale = run_part(job, plan, folder, 0).files[0].name
    run_part(job, plan, folder, 0)
    (folder / "mine.txt").write_bytes(b"of a user")
    (folder / f".{stale}.a1b2.tmp").write_bytes(b"begun")
    if is_committed:
        with open_engine(LocalEngineConfig(kind="local", workers=1, retries=0, part_rows=3)) as engine:
            run_parts(job, plan, folder, engine)
    assert clean_parts(folder) == []
    assert clean_parts(folder, min_age_s=0) == [f".{stale}.a1b2.tmp", stale]
    assert (folder / "mine.txt").exists()
