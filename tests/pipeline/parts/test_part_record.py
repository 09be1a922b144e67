"""A record counts as long as its files are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.parts import PartRecord, find_record, read_records, run_part, store_plan
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


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_part_whose_record_is_cut_runs_again(tmp_path: Path, job: RowSums, share: float) -> None:
    folder, digest = StoragePath.parse(tmp_path / "out"), row_plan().digest
    run_part(job, row_plan(), folder, 0)
    path = tmp_path / "out/_records/000000.json"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert read_records(folder, plan_digest=digest) == {}
    assert find_record(folder, 0, plan_digest=digest) is None


def test_one_record_is_found_as_all_of_them_are(tmp_path: Path, job: RowSums) -> None:
    folder, digest = StoragePath.parse(tmp_path / "out"), row_plan().digest
    record = run_part(job, row_plan(), folder, 1)
    assert find_record(folder, 1, plan_digest=digest) == record
    assert find_record(folder, 0, plan_digest=digest) is None
    assert find_record(folder, 1, plan_digest=row_plan(part_rows=4).digest) is None
    (folder / record.files[0].name).remove()
    assert find_record(folder, 1, plan_digest=digest) is None
