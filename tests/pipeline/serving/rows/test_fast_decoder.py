"""The fast decoder returns valid rows, and None for everything that the parser must examine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.schema import Column
from pipeline.serving.rows.fast_decoder import FastDecoder

COLUMNS = (
    Column("count", "integer", "Int64", nullable=True, minimum=0, maximum=11,
           checks={"in_range": {"min_value": 0, "max_value": 11}}),
    Column("size", "float", "Float64", checks={"gt": 0}, minimum=0),
    Column("color", "category", "category", categories=("blue", "red"), checks={"isin": ["blue", "red"]}),
    Column("note", "text", "string", nullable=True),
)  # fmt: skip
DECODER = FastDecoder(COLUMNS)
FEATURES: dict[str, Any] = {"count": 4, "size": 1.5, "color": "red", "note": "ab"}
ROW = (4, 1.5, "red", "ab")


def row_body(**changes: Any) -> bytes:
    return json.dumps({"features": {**FEATURES, **changes}}).encode()


def batch_body(*instances: dict[str, Any]) -> bytes:
    return json.dumps({"instances": instances}).encode()


def test_a_valid_row_is_in_the_order_of_the_columns() -> None:
    shuffled = dict(reversed(FEATURES.items()))
    assert DECODER.decode_row(json.dumps({"features": shuffled}).encode()) == ROW


@pytest.mark.parametrize("features", [{"size": 1.5, "color": "red"}, {**FEATURES, "count": None, "note": None}])
def test_null_and_absent_are_missing(features: dict[str, Any]) -> None:
    expected = (None, 1.5, "red", None)
    assert DECODER.decode_row(json.dumps({"features": features}).encode()) == expected
    assert DECODER.decode_batch(batch_body(features, FEATURES)) == [expected, ROW]


INVALID_CHANGES: list[dict[str, Any]] = [
    {"count": 12},
    {"count": 4.5},
    {"size": 0},
    {"size": None},
    {"size": "1"},
    {"color": "green"},
    {"note": "a\0b"},
    {"unknown": 1},
]


@pytest.mark.parametrize("changes", INVALID_CHANGES)
def test_an_invalid_row_is_left_to_the_parser(changes: dict[str, Any]) -> None:
    assert DECODER.decode_row(row_body(**changes)) is None
    assert DECODER.decode_batch(batch_body(FEATURES, {**FEATURES, **changes})) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"features": 1}',
        b'{"features": {"size": 1, "color": "red", "size": 2}}',
        b'{"features": {"size": 1, "color": "red"}, "more": 1}',
        b'{"features": {"size": 1, "color": "red", "note": "\xff"}}',
        b'{"features": ' + b"[" * 100_000,
    ],
)
def test_an_unusual_body_is_left_to_the_parser(body: bytes) -> None:
    assert DECODER.decode_row(body) is None


def test_a_text_with_a_colon_is_left_to_the_parser() -> None:
    assert DECODER.decode_row(row_body(note="a:b")) is None


def test_columns_become_rows_with_none_for_nan() -> None:
    columns = {"count": [4, float("nan")], "size": [1.5, 2], "color": ["red", "blue"], "note": ["ab", None]}
    assert DECODER.decode_columns(columns, 2) == [ROW, (None, 2.0, "blue", None)]


def test_an_absent_nullable_column_is_missing() -> None:
    assert DECODER.decode_columns({"size": [1.5], "color": ["red"]}, 1) == [(None, 1.5, "red", None)]


@pytest.mark.parametrize("size", [float("inf"), float("-inf"), 0.0, None, "1"])
def test_columns_with_an_invalid_value_are_left_to_the_parser(size: Any) -> None:
    assert DECODER.decode_columns({"size": [1.5, size], "color": ["red", "red"]}, 2) is None
