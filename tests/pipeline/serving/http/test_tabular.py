from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.schema import Column
from pipeline.serving.http import tabular
from pipeline.serving.serving_errors import BodyTooLarge, InvalidRequest, MalformedBody
from tests.fixtures.toy_dataset import schema

if TYPE_CHECKING:
    from pipeline.serving.http.tabular import TabularBody

PARQUET = "application/vnd.apache.parquet"
ARROW_STREAM = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
VALUES = {"size": [1.5, None], "count": [3, 4], "colour": ["blue", None], "is_new": [True, None]}


def encode(media_type: str, table: pa.Table) -> bytes:
    sink = io.BytesIO()
    if media_type == PARQUET:
        parquet.write_table(table, sink)
    else:
        new_writer = pa.ipc.new_stream if media_type == ARROW_STREAM else pa.ipc.new_file
        with new_writer(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


def read(media_type: str, body: bytes, **options: Any) -> TabularBody:
    return tabular.read_tabular_body(media_type, body, schema(), **{"max_rows": 10, **options})


@pytest.mark.parametrize("media_type", [PARQUET, ARROW_STREAM, ARROW_FILE])
def test_a_table_becomes_columns_of_python_values(media_type: str) -> None:
    body = read(media_type, encode(media_type, pa.table(VALUES)))
    assert (body.columns, body.lines) == (VALUES, None)


def test_csv_becomes_columns_with_their_lines() -> None:
    body = read("text/csv", b"size,count,colour\n1.5,3,blue\n,4,\n")
    assert body.columns == {"size": [1.5, None], "count": [3, 4], "colour": ["blue", None]}
    assert body.lines is not None
    assert list(body.lines.row_lines) == [2, 3]


def test_nan_is_a_missing_value() -> None:
    table = pa.table({"size": pa.array([1.0, float("nan")])})
    assert read(PARQUET, encode(PARQUET, table)).columns["size"] == [1.0, None]


def test_dictionaries_and_timestamps_become_text() -> None:
    table = pa.table(
        {
            "colour": pa.array(["red", "blue"]).dictionary_encode(),
            "seen_at": pa.array([0, 86_400_000_000], pa.timestamp("us")),
        }
    )
    columns = read(ARROW_FILE, encode(ARROW_FILE, table)).columns
    assert columns["colour"] == ["red", "blue"]
    assert [value[:10] for value in columns["seen_at"]] == ["1970-01-01", "1970-01-02"]


@pytest.mark.parametrize("media_type", [PARQUET, ARROW_STREAM, ARROW_FILE])
@pytest.mark.parametrize("body", [b"", b"nonsense", b"PAR1nonsensePAR1", b"ARROW1\x00\x00nonsense"])
def test_other_bytes_are_malformed(media_type: str, body: bytes) -> None:
    with pytest.raises(MalformedBody, match="body: is not a valid"):
        read(media_type, body)


@pytest.mark.parametrize(("n_rows", "is_accepted"), [(10, True), (11, False)])
def test_the_number_of_rows_is_bounded(n_rows: int, is_accepted: bool) -> None:
    body = encode(PARQUET, pa.table({"size": [1.0] * n_rows}))
    if is_accepted:
        assert len(read(PARQUET, body).columns["size"]) == n_rows
        return
    with pytest.raises(BodyTooLarge, match="has 11 rows; at most 10 are accepted"):
        read(PARQUET, body)


def test_an_unknown_column_gets_a_suggestion() -> None:
    with pytest.raises(InvalidRequest, match=r"sise: is not a feature of this model.*did you mean 'size'"):
        read(PARQUET, encode(PARQUET, pa.table({"sise": [1.0]})))


def test_a_repeated_column_is_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["size", "size"])
    with pytest.raises(InvalidRequest, match="size: is given twice"):
        read(ARROW_STREAM, encode(ARROW_STREAM, table))


def test_an_invalid_csv_line_refuses_the_body_unless_it_may_be_partial() -> None:
    text = b"size,count\n1.5,3\nlarge,4\n2.5,5\n"
    with pytest.raises(InvalidRequest, match=r"line 3\.size"):
        read("text/csv", text)
    body = read("text/csv", text, allows_partial=True)
    assert body.columns == {"size": [1.5, 2.5], "count": [3, 5]}
    assert body.lines is not None
    assert (list(body.lines.row_lines), [error.path for error in body.lines.errors]) == ([2, 4], ["line 3.size"])


@pytest.mark.parametrize("media_type", ["text/csv", PARQUET, ARROW_STREAM])
def test_ids_come_along_and_other_declared_columns_are_ignored_as_from_a_file(media_type: str) -> None:
    extra = sorted(schema().accepted_names - set(schema().feature_names))
    table = pa.table({**{name: ["any", ""] for name in extra}, "size": [1.5, 2.5]})
    csv_body = "\n".join([",".join([*extra, "size"]), *(",".join([*["any"] * len(extra), n]) for n in ("1.5", "2.5"))])
    body = csv_body.encode() if media_type == "text/csv" else encode(media_type, table)
    assert {"row"} < set(extra)
    second = "any" if media_type == "text/csv" else ""
    assert read(media_type, body).columns == {"size": [1.5, 2.5], "row": ["any", second]}


def test_a_csv_body_has_as_many_columns_as_are_declared() -> None:
    columns = tuple(
        Column(f"feature_number_{number:05d}", "float", "Float64", nullable=True) for number in range(3_500)
    )
    wide = replace(schema(), columns=(*columns, Column("row", "integer", "Int64", role="id")))
    names = [column.name for column in wide.columns]
    body = ",".join(names) + "\n" + ",".join(["1.5"] * 3_500 + ["x"]) + "\n"
    parsed = tabular.read_tabular_body("text/csv", body.encode(), wide, max_rows=1)
    assert list(parsed.columns) == names
    with pytest.raises(InvalidRequest, match=r"feature_number_00019 and 3480 more; leave it out, or declare it under"):
        tabular.read_tabular_body("text/csv", body.replace("row\n", "zzz\n").encode(), wide, max_rows=1)
