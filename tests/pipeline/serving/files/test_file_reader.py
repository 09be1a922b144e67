"""Files are read in batches with their declared types, and invalid values are named by row and column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError, UsageError
from pipeline.schema import Column, Schema, Target
from pipeline.serving.files.file_reader import TableValidator, count_file_rows, read_column_names, read_file_tables

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = Schema(
    "small",
    (
        Column("size", "float", "Float64", nullable=True, checks={"gt": 0}, minimum=0),
        Column("color", "category", "category", categories=("blue", "red"), checks={"isin": ["blue", "red"]}),
        Column("row", "integer", "Int64", role="id"),
        Column("extra", "text", "string", role="ignore"),
    ),
    Target("answer", ("no", "yes"), "yes"),
)
VALUES: dict[str, list[Any]] = {"size": [1.5, None], "color": ["blue", "red"], "row": [1, 2], "extra": [0, 0]}


@pytest.fixture(params=["csv", "parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file with both features, an identifier and an extra column."""
    file = tmp_path / f"in.{request.param}"
    if request.param == "csv":
        file.write_text("size,color,row,extra\n1.5,blue,1,0\n,red,2,0\n", encoding="utf-8")
    else:
        pq.write_table(pa.table(VALUES), file)
    return file


def features_table(**changes: list[Any]) -> pa.Table:
    return pa.table({"size": [1.5, 2.5], "color": ["blue", "red"], **changes})


def test_both_formats_give_the_same_columns_and_ids_as_they_are(path: Path) -> None:
    table = pa.concat_tables(read_file_tables(path, SCHEMA, ("row",)))
    ids = VALUES["row"] if path.suffix == ".parquet" else ["1", "2"]
    assert table.to_pydict() == {"row": ids, "size": VALUES["size"], "color": VALUES["color"]}


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array(["C-1", None]), ["C-1", None]),
        (pa.array([1.5, 2.5]), [1.5, 2.5]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([[1, 2], None]), ["[1, 2]", None]),
    ],
)
def test_ids_of_another_type_than_the_declared_one_refuse_no_row(
    ids: pa.Array, expected: list[Any], tmp_path: Path
) -> None:
    pq.write_table(pa.table({**VALUES, "row": ids}), tmp_path / "in.parquet")
    table = pa.concat_tables(read_file_tables(tmp_path / "in.parquet", SCHEMA, ("row",)))
    assert table.column("row").to_pylist() == expected


def test_both_formats_give_their_column_names(path: Path) -> None:
    assert read_column_names(path, SCHEMA) == list(VALUES)


def test_only_parquet_counts_its_rows(path: Path) -> None:
    assert count_file_rows(path, SCHEMA) == (2 if path.suffix == ".parquet" else None)


@pytest.mark.parametrize("name", ["in.csv", "in.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=name):
        read_column_names(tmp_path / name, SCHEMA)


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no reader knows this format; expected .*\.csv"):
        list(read_file_tables(tmp_path / "in.doc", SCHEMA, ()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": [1.5, 0.0]}, r"in\.csv: row 12: size: expected a number greater than 0"),
        ({"color": ["green", "red"]}, r"in\.csv: row 11: color: expected a string in quotes out of"),
        ({"color": [None, "red"]}, r"in\.csv: row 11: color: is missing"),
    ],
)
def test_an_invalid_value_is_named_by_row_and_column(changes: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        TableValidator(SCHEMA).check(features_table(**changes), where="in.csv", first_row=11)


def test_moments_of_files_and_of_requests_pass_the_same_checks() -> None:
    column = Column("seen_at", "datetime", "datetime64[us]", checks={"le": "2026-01-31"})
    schema = Schema("moments", (column,), SCHEMA.target)
    table = pa.table({"seen_at": pa.array(["2026-01-31", "2026-01-31T01:00:00"]).cast(pa.timestamp("us"))})
    with pytest.raises(DataError, match=r"in\.csv: row 2: seen_at: expected .* of at most \"2026-01-31\""):
        TableValidator(schema).check(table, where="in.csv", first_row=1)
    TableValidator(schema).check(table.slice(0, 1), where="in.csv", first_row=1)


def test_at_most_twenty_values_are_listed_and_all_are_counted() -> None:
    table = pa.table({"size": [0.0] * 30, "color": ["blue"] * 30})
    with pytest.raises(DataError, match="30 invalid values in this batch; correct the file and try again") as caught:
        TableValidator(SCHEMA).check(table, where="in.csv", first_row=1)
    assert len(str(caught.value).splitlines()) == 21


def test_valid_batches_pass() -> None:
    validator = TableValidator(SCHEMA)
    for first_row in (1, 3):
        validator.check(features_table(), where="in.csv", first_row=first_row)
