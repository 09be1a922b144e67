"""A plan describes its files, and a part opens only its own rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.part_rows import describe_sources, open_part
from pipeline.errors import DataError, UsageError
from pipeline.parts import plan_parts
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.parts import PartPlan


def plan_of(*paths: Path, part_rows: int = 4) -> PartPlan:
    dialect = CsvDialect(multiline=True, skip_blank_lines=True)
    sources = describe_sources([StoragePath.parse(path) for path in paths], dialect, accepted_names={"size"})
    return plan_parts("made", {}, sources, part_rows=part_rows)


def write_parquet(path: Path, n_rows: int = 10) -> Path:
    pq.write_table(pa.table({"size": range(n_rows)}), path, row_group_size=2)
    return path


def test_each_row_is_in_one_part(tmp_path: Path) -> None:
    plan = plan_of(write_parquet(tmp_path / "a.parquet"), write_parquet(tmp_path / "b.parquet", 3))
    sizes = []
    for part in plan.parts:
        with open_part(plan, part) as rows:
            tables = list(rows.file.read(["size"]))
            assert rows.file.n_rows == part.n_rows == sum(table.num_rows for table in tables)
            sizes += [size for table in tables for size in table.column("size").to_pylist()]
    assert (len(plan.parts), sizes) == (4, [*range(10), *range(3)])


def test_a_csv_file_is_one_part_whose_rows_are_records(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('size\n"1\n2"\n\n3\n4\n', encoding="utf-8")
    plan = plan_of(path, part_rows=1)
    assert [part.n_rows for part in plan.parts] == [3]
    with open_part(plan, plan.parts[0]) as rows:
        assert rows.file == path


def test_a_file_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    plan = plan_of(write_parquet(tmp_path / "in.parquet"))
    write_parquet(tmp_path / "in.parquet", 2_000)
    with pytest.raises(DataError, match="changed since the job was planned"), open_part(plan, plan.parts[0]):
        pass


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("in.parquet", b"no Parquet", DataError, "is no readable Parquet file"),
        ("in.csv", b"size\n1,2\n", DataError, "in.csv"),
        ("in.xlsx", b"", UsageError, "is read in parts only as CSV or Parquet"),
    ],
)
def test_an_unreadable_file_is_named(
    name: str, content: bytes, error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message):
        plan_of(tmp_path / name)


@pytest.fixture
def object_plan(tmp_path: Path, s3_bucket: str) -> PartPlan:
    """A plan of one object in parts of four rows."""
    path = StoragePath.parse(s3_bucket) / "in.parquet"
    path.write_bytes(write_parquet(tmp_path / "in.parquet").read_bytes())
    sources = describe_sources([path], CsvDialect(), accepted_names={"size"})
    return plan_parts("made", {}, sources, part_rows=4)


def test_an_object_that_is_replaced_during_the_read_is_refused(object_plan: PartPlan, tmp_path: Path) -> None:
    address = StoragePath.parse(object_plan.sources[0].address)
    message = "changed since the job was planned"
    with pytest.raises(DataError, match=message), open_part(object_plan, object_plan.parts[0]) as rows:
        assert sum(table.num_rows for table in rows.file.read(["size"])) == 4
        address.write_bytes(write_parquet(tmp_path / "in.parquet", 12).read_bytes())


def test_a_damaged_object_is_a_fault_of_the_file(s3_bucket: str) -> None:
    path = StoragePath.parse(s3_bucket) / "in.parquet"
    path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(DataError, match=rf"{path}: is no readable Parquet file"):
        describe_sources([path], CsvDialect(), accepted_names={"size"})
