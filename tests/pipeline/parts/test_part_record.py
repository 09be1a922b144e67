"""A record counts as long as its files are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.parts import PartRecord, read_records, run_part, store_plan
from pipeline.storage import StoragePath
from tests.pipeline.parts.row_sums import RowSums, row_plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def job(tmp_path: Path) -> RowSums:
    (tmp_path / "runs").mkdir()
    return RowSums(tmp_path / "runs")


def test_a_part_whose_file_is_cut_runs_again(tmp_path: Path, job: RowSums) -> None:
    folder = StoragePath.parse(tmp_path / "out")
    store_plan(row_plan(), folder)
    record = run_part(job, row_plan(), folder, 0)
    (folder / record.files[0].name).write_bytes(b"")
    assert read_records(folder, plan_digest=row_plan().digest) == {}


def test_records_of_another_plan_are_left_out(tmp_path: Path, job: RowSums) -> None:
    folder = StoragePath.parse(tmp_path / "out")
    record = run_part(job, row_plan(), folder, 0)
    assert read_records(folder, plan_digest=row_plan().digest) == {0: record}
    assert read_records(folder, plan_digest=row_plan(part_rows=4).digest) == {}


def test_a_record_is_read_as_it_was_written(tmp_path: Path, job: RowSums) -> None:
    record = run_part(job, row_plan(), StoragePath.parse(tmp_path), 0)
    assert PartRecord.from_dict(record.as_dict()) == record
