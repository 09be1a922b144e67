"""Whether a row is allowed is one question: JSON, CSV and Parquet over HTTP, files, the app and checks decide alike."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pipeline.config.config_loader import build_config
from pipeline.data.scoring_file import read_scoring_file
from pipeline.errors import DataError, MlopsError
from pipeline.rows_check import check_file
from pipeline.schema import Schema
from pipeline.serving.files.file_reader import TableValidator, read_file_tables
from pipeline.serving.http.open_inference import parse_request
from pipeline.serving.http.tabular import read_tabular_body
from pipeline.serving.rows.row_parser import RowParser
from tests.fixtures.composed_config import composed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = dict[str, Any]

DATA = {
    "name": "entry_points",
    "source": {"kind": "csv", "path": "data/external/entry_points.csv"},
    "profile": None,
    "target": {"column": "answer", "classes": ["no", "yes"], "positive": "yes"},
    "columns": {
        "size": {"dtype": "Float64", "checks": {"in_range": {"min_value": 0, "max_value": 9.5}}},
        "count": {"dtype": "Int64", "nullable": True, "checks": {"ge": 0}},
        "color": {"dtype": "category", "nullable": True, "checks": {"isin": ["blue", "red"]}},
        "plan": {"dtype": "category", "nullable": True, "unseen": "other", "checks": {"isin": ["basic", "pro"]}},
        "code": {"dtype": "category", "nullable": True, "checks": {"isin": ["1", "2", "true"]}},
        "is_new": {"dtype": "boolean", "nullable": True},
        "seen_at": {"dtype": "datetime64[us]", "nullable": True, "checks": {"ge": "2020-01-01"}},
        "note": {"dtype": "string", "nullable": True, "checks": {"str_length": {"max_value": 5}}},
        "row": {"dtype": "Int64", "role": "id", "unique": True},
        "joined": {"dtype": "datetime64[us]", "role": "time"},
    },
    "split": {"kind": "stratified", "test_share": 0.2},
}
CONFIG = build_config({**composed().values, "data": DATA}, where="conf")  # noqa: PD011 - a composition, no frame
SCHEMA = Schema.from_config(CONFIG.data)
ROW: Row = {
    "size": 1.5,
    "count": 3,
    "color": "red",
    "plan": "pro",
    "code": "1",
    "is_new": True,
    "seen_at": "2024-05-01",
    "note": "hi",
    "row": 1,
    "joined": "2024-01-01",
}
DATATYPES = {"size": "FP64", "count": "INT64", "is_new": "BOOL", "row": "INT64"}


def with_json(rows: list[Row], _folder: Path) -> None:
    RowParser(SCHEMA, max_rows=10).parse_batch(json.dumps({"instances": rows}).encode())


def with_csv_body(rows: list[Row], _folder: Path) -> None:
    body = read_tabular_body("text/csv", csv_text(rows).encode(), SCHEMA, max_rows=10)
    RowParser(SCHEMA, max_rows=10).parse_columns(body.columns, lines=body.lines)


def with_parquet_body(rows: list[Row], folder: Path) -> None:
    content = write_parquet(rows, folder).read_bytes()
    body = read_tabular_body("application/vnd.apache.parquet", content, SCHEMA, max_rows=10)
    RowParser(SCHEMA, max_rows=10).parse_columns(body.columns, lines=body.lines)


def with_scored_csv(rows: list[Row], folder: Path) -> None:
    _check_tables(write_csv(rows, folder), rows)


def with_scored_parquet(rows: list[Row], folder: Path) -> None:
    _check_tables(write_parquet(rows, folder), rows)


def _check_tables(path: Path, rows: list[Row]) -> None:
    for table in read_file_tables(path, SCHEMA, tuple({"row"} & set(rows[0]))):
        TableValidator(SCHEMA).check(table, where=path.name, first_row=1)


def with_csv_upload(rows: list[Row], folder: Path) -> None:
    _raise_problems(read_scoring_file(write_csv(rows, folder), SCHEMA, CONFIG.data.csv_dialect).problems)


def with_parquet_upload(rows: list[Row], folder: Path) -> None:
    _raise_problems(read_scoring_file(write_parquet(rows, folder), SCHEMA, CONFIG.data.csv_dialect).problems)


def with_data_check(rows: list[Row], folder: Path) -> None:
    _raise_problems(check_file(write_csv(rows, folder), CONFIG, with_target=False).problems)


def _raise_problems(problems: tuple[object, ...]) -> None:
    if problems:
        raise DataError("\n".join(map(str, problems)))


ENTRY_POINTS: dict[str, Callable[[list[Row], Path], None]] = {
    "POST /predict/batch with JSON": with_json,
    "POST /predict/batch with CSV": with_csv_body,
    "POST /predict/batch with Parquet": with_parquet_body,
    "mlops predict of a CSV file": with_scored_csv,
    "mlops predict of a Parquet file": with_scored_parquet,
    "upload of a CSV file": with_csv_upload,
    "upload of a Parquet file": with_parquet_upload,
    "mlops data check --unlabeled": with_data_check,
}


def csv_text(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([{True: "true", False: "false", None: ""}.get(value, value) for value in row.values()])
    return text.getvalue()


def write_csv(rows: list[Row], folder: Path) -> Path:
    path = folder / "rows.csv"
    path.write_text(csv_text(rows), encoding="utf-8")
    return path


def write_parquet(rows: list[Row], folder: Path) -> Path:
    frame = pd.DataFrame(rows).convert_dtypes()
    for name in {"seen_at", "joined"} & set(frame):
        if frame[name].str.fullmatch(r"\d{4}-\d\d-\d\d( .*)?").all() and "02-31" not in str(frame[name][0]):
            frame[name] = pd.to_datetime(frame[name], format="ISO8601").astype("datetime64[us]")
    path = folder / "rows.parquet"
    frame.to_parquet(path)
    return path


ALLOWED: dict[str, Row] = {
    "a sound row": {},
    "a number at its bound": {"size": 9.5},
    "a whole number for a float": {"size": 3},
    "a whole float for an integer": {"count": 4.0},
    "the largest integer": {"count": 2**63 - 1},
    "no count": {"count": None},
    "no color": {"color": None},
    "no word": {"plan": None},
    "a word that training never saw": {"plan": "gold"},
    "a known word in capitals": {"plan": "PRO"},
    "an integer for its word": {"code": 2},
    "a boolean for its word": {"code": True},
    "a number for a word of an open column": {"plan": 7},
    "false": {"is_new": False},
    "no moment": {"seen_at": None},
    "a moment with a blank": {"seen_at": "2024-05-01 10:00:00"},
    "a far moment": {"seen_at": "9999-12-31"},
    "no note": {"note": None},
    "no id": {"row": None},
    "an id of another type": {"row": "x"},
    "another time": {"joined": "soon"},
    "the target": {"answer": "no"},
    "a class that is not declared": {"answer": "maybe"},
}
REFUSED: dict[str, tuple[Row, str]] = {
    "a number beyond its bound": ({"size": 9.6}, "expected a number from 0 to 9.5"),
    "a negative number": ({"count": -1}, "expected a whole number of at least 0, or null"),
    "a required number that is missing": ({"size": None}, "expected a number from 0 to 9.5, and not null"),
    "a category that is not declared": ({"color": "gold"}, 'expected a string in quotes out of "blue", "red", or null'),
    "a category with a blank": ({"color": "red "}, 'expected a string in quotes out of "blue", "red", or null'),
    "a category in capitals": ({"color": "Red"}, 'expected a string in quotes out of "blue", "red", or null'),
    "a moment before its bound": ({"seen_at": "2019-12-31"}, 'of at least "2020-01-01", or null'),
    "a text that is too long": ({"note": "abcdefgh"}, "or null"),
    "a column that is not declared": (
        {"colr": 1},
        "features: size, count, color, plan, code, is_new, seen_at, note; did you mean 'color'?",
    ),
    "an integer of no listed word": ({"code": 3}, 'expected a string in quotes out of "1", "2", "true", or null'),
    "a fraction for a word": ({"code": 1.5}, ""),
    "a text for a number": ({"size": "abc"}, ""),
    "not a number": ({"size": "nan"}, ""),
    "a fraction for an integer": ({"count": 1.5}, ""),
    "an integer of more than 64 bits": ({"count": 2**63}, ""),
    "a word for a boolean": ({"is_new": "yes"}, ""),
    "a moment with a zone": ({"seen_at": "2024-05-01T10:00:00Z"}, ""),
    "a day first": ({"seen_at": "01.05.2024"}, ""),
    "a day that no month has": ({"seen_at": "2024-02-31"}, ""),
    "a text with a NUL": ({"note": "a\0b"}, ""),
    "a word with a NUL": ({"plan": "a\0b"}, ""),
}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("question", ALLOWED)
def test_a_row_is_allowed_at_every_entry_point(question: str, entry_point: str, tmp_path: Path) -> None:
    ENTRY_POINTS[entry_point]([{**ROW, **ALLOWED[question]}], tmp_path)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("question", REFUSED)
def test_a_row_is_refused_at_every_entry_point_in_the_same_words(
    question: str, entry_point: str, tmp_path: Path
) -> None:
    change, words = REFUSED[question]
    with pytest.raises(MlopsError) as refused:
        ENTRY_POINTS[entry_point]([{**ROW, **change}], tmp_path)
    assert words in str(refused.value)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    ("absent", "is_allowed"), [("count", True), ("color", True), ("row", True), ("joined", True), ("size", False)]
)
def test_only_a_required_feature_may_not_be_absent(
    absent: str, is_allowed: bool, entry_point: str, tmp_path: Path
) -> None:
    rows = [{name: value for name, value in ROW.items() if name != absent}]
    if is_allowed:
        ENTRY_POINTS[entry_point](rows, tmp_path)
        return
    with pytest.raises(MlopsError, match=r"size.*expected a number from 0 to 9\.5, and not null"):
        ENTRY_POINTS[entry_point](rows, tmp_path)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_ids_may_repeat_in_rows_to_predict(entry_point: str, tmp_path: Path) -> None:
    ENTRY_POINTS[entry_point]([ROW, ROW], tmp_path)


def tensors(row: Row) -> bytes:
    inputs = [
        {"name": name, "shape": [1], "datatype": DATATYPES.get(name, "BYTES"), "data": [value]}
        for name, value in row.items()
    ]
    return json.dumps({"inputs": inputs}).encode()


@pytest.mark.parametrize("question", [name for name, change in ALLOWED.items() if None not in change.values()])
def test_the_inference_protocol_allows_the_same_rows(question: str) -> None:
    request = parse_request(tensors({**ROW, **ALLOWED[question]}), None, SCHEMA, max_rows=10)
    RowParser(SCHEMA, max_rows=10).parse_columns(request.columns)


@pytest.mark.parametrize("question", REFUSED)
def test_the_inference_protocol_refuses_the_same_rows(question: str) -> None:
    change, words = REFUSED[question]
    with pytest.raises(MlopsError) as refused:
        request = parse_request(tensors({**ROW, **change}), None, SCHEMA, max_rows=10)
        RowParser(SCHEMA, max_rows=10).parse_columns(request.columns)
    assert words in str(refused.value)
