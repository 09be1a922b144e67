"""A column that declares how its texts read accepts them through every reader, as the same values."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.coercion import coerce_to_schema
from pipeline.data.csv_reader import read_csv
from pipeline.schema import Column, Schema, Target
from pipeline.serving.files.file_reader import read_file_tables
from pipeline.serving.http.json_schemas import features_schema
from pipeline.serving.http.open_inference import parse_request
from pipeline.serving.http.tabular import read_tabular_body
from pipeline.serving.rows.row_parser import RowParser
from pipeline.serving.serving_errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = Schema(
    "texts",
    (
        Column("joined", "datetime", "datetime64[us]", nullable=True, format="%d.%m.%Y %H:%M", zone="Europe/Berlin"),
        Column("seen", "datetime", "datetime64[us]", nullable=True, format="epoch_s", null_values=("never",)),
        Column("spent", "float", "Float64", nullable=True, strip=("$",), null_values=("unknown",),
               checks={"ge": 0}, minimum=0),
        Column("waited", "float", "Float64", nullable=True, format="duration", unit="s"),
        Column("member", "boolean", "boolean", nullable=True, true_values=("yes", "1"), false_values=("no", "0")),
        Column("plan", "category", "category", nullable=True, categories=("basic", "pro"), null_values=("NA",),
               checks={"isin": ["basic", "pro"]}),
    ),
    Target("outcome", ("no", "yes"), "yes"),
)  # fmt: skip
TEXTS = {
    "joined": "14.05.2024 18:05",
    "seen": "1715702709",
    "spent": "$12.50",
    "waited": "0:01:30",
    "member": "yes",
    "plan": "NA",
}
VALUES = ("2024-05-14T16:05:00", "2024-05-14T16:05:09", 12.5, 90.0, True, None)
PARSER = RowParser(SCHEMA, max_rows=10)
NAMES = list(TEXTS)


def parse_columns(columns: dict[str, list[Any]], lines: Any = None) -> Any:
    return PARSER.parse_columns(columns, lines=lines).rows[0]


def csv_text(row: dict[str, str]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([list(row), list(row.values())])
    return stream.getvalue()


def from_csv_body(_: Path) -> Any:
    body = read_tabular_body("text/csv", csv_text(TEXTS).encode(), SCHEMA, max_rows=10)
    return parse_columns(body.columns, body.lines)


def from_tensors(_: Path) -> Any:
    tensors = [{"name": name, "shape": [1], "datatype": "BYTES", "data": [text]} for name, text in TEXTS.items()]
    request = parse_request(json.dumps({"inputs": tensors}).encode(), None, SCHEMA, max_rows=10)
    return parse_columns(dict(request.columns))


def first_row(table: pa.Table) -> Any:
    values = [table.column(name)[0].as_py() for name in NAMES]
    return tuple(value.isoformat() if hasattr(value, "isoformat") else value for value in values)


def from_file(folder: Path) -> Any:
    path = folder / "rows.csv"
    path.write_text(csv_text({**TEXTS, "outcome": "no"}), encoding="utf-8")
    return first_row(pa.Table.from_pandas(read_csv(path, SCHEMA, CsvDialect())))


def from_file_to_score(folder: Path) -> Any:
    path = folder / "rows.csv"
    path.write_text(csv_text(TEXTS), encoding="utf-8")
    return first_row(next(iter(read_file_tables(path, SCHEMA, ()))))


def from_typed_table(folder: Path) -> Any:
    path = folder / "rows.parquet"
    pq.write_table(pa.table({**{name: [text] for name, text in TEXTS.items()}, "outcome": ["no"]}), path)
    return first_row(pa.Table.from_pandas(coerce_to_schema(pq.read_table(path), SCHEMA, where="rows")))


READERS: dict[str, Callable[[Path], Any]] = {
    "JSON row": lambda _: PARSER.parse_row(json.dumps({"features": TEXTS}).encode()).rows[0],
    "JSON batch": lambda _: PARSER.parse_batch(json.dumps({"instances": [TEXTS]}).encode()).rows[0],
    "columns": lambda _: parse_columns({name: [text] for name, text in TEXTS.items()}),
    "CSV body": from_csv_body,
    "Open Inference": from_tensors,
    "file": from_file,
    "file to score": from_file_to_score,
    "Parquet": from_typed_table,
}


@pytest.mark.parametrize("reader", READERS)
def test_declared_texts_become_the_same_values_through_every_reader(reader: str, tmp_path: Path) -> None:
    assert READERS[reader](tmp_path) == VALUES


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_was_read_reads_back_as_itself(name: str) -> None:
    at = NAMES.index(name)
    body = json.dumps({"features": {name: SCHEMA.column(name).to_request_value(VALUES[at])}}).encode()
    assert PARSER.parse_row(body).rows[0][at] == VALUES[at]


@pytest.mark.parametrize(
    ("features", "value"),
    [
        ({"seen": 1715702709}, VALUES[1]),
        ({"seen": 1715702709.0}, VALUES[1]),
        ({"seen": "never"}, None),
        ({"spent": 12}, 12.0),
        ({"spent": "unknown"}, None),
        ({"waited": 90}, 90.0),
        ({"member": 0}, False),
        ({"member": True}, True),
        ({"plan": "pro"}, "pro"),
    ],
)
def test_values_and_numbers_for_words_are_accepted_beside_texts(features: dict[str, Any], value: Any) -> None:
    (name,) = features
    assert PARSER.parse_row(json.dumps({"features": features}).encode()).rows[0][NAMES.index(name)] == value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("joined", "05/14/2024 18:05", r"expected a date or a moment such as 31\.01\.2026 18:30, or null; found a str"),
        ("spent", "-$1", "expected a number"),
        ("spent", "12 EUR", r"expected a number such as .*, with or without \$"),
        ("waited", "soon", "expected a duration such as 02:03:04"),
        ("member", "maybe", "expected one of yes, 1, no, 0"),
        ("plan", "gold", "expected a string in quotes"),
        ("seen", True, "expected a number of time since 1970"),
    ],
)
def test_another_text_is_refused_with_the_declared_form(name: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        PARSER.parse_row(json.dumps({"features": {name: value}}).encode())
    (problem,) = caught.value.errors
    assert re.match(f"{name}: {message}", f"{problem.path.removeprefix('features.')}: {problem.message}")


def test_the_json_schema_admits_declared_texts() -> None:
    properties = features_schema(SCHEMA)["properties"]
    assert {name: properties[name]["type"] for name in NAMES} == {
        "joined": ["string", "number", "null"],
        "seen": ["string", "number", "null"],
        "spent": ["number", "string", "null"],
        "waited": ["number", "string", "null"],
        "member": ["boolean", "string", "null"],
        "plan": ["string", "null"],
    }
    assert properties["plan"]["enum"] == ["basic", "pro", "NA", None]


def test_a_moment_with_a_zone_keeps_it_in_a_typed_body() -> None:
    sink = io.BytesIO()
    moments = pa.array([1715702700000000], pa.timestamp("us", tz="America/New_York"))
    pq.write_table(pa.table({"joined": moments}), sink)
    body = read_tabular_body("application/vnd.apache.parquet", sink.getvalue(), SCHEMA, max_rows=10)
    assert parse_columns(body.columns)[0] == VALUES[0]


def test_a_typed_duration_is_seconds_in_a_typed_body() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"waited": pa.array([90_000], pa.duration("ms"))}), sink)
    body = read_tabular_body("application/vnd.apache.parquet", sink.getvalue(), SCHEMA, max_rows=10)
    assert parse_columns(body.columns)[NAMES.index("waited")] == 90.0
