from __future__ import annotations

import math
from typing import Any

import pytest

from pipeline.schema import Column
from pipeline.serving.rows.fast_decoder import DecodedRows, FastDecoder

COLUMNS = (
    Column("size", "float", "Float64", nullable=True, checks={"gt": 0}),
    Column("color", "category", "category", categories=("blue", "red"), checks={"isin": ["blue", "red"]}),
)
DECODER = FastDecoder(COLUMNS)


def test_rows_are_decoded_in_the_order_of_the_columns() -> None:
    rows = DECODER.decode_row(b'{"features": {"color": "red", "size": 2}}')
    assert rows == DecodedRows([(2.0, "red")], [])
    batch = DECODER.decode_batch(b'{"instances": [{"color": "red"}, {"size": 1, "color": "blue"}]}')
    assert batch == DecodedRows([(None, "red"), (1.0, "blue")], [])


@pytest.mark.parametrize(
    "features",
    [
        '{"size": 0, "color": "red"}',
        '{"size": 1, "color": "green"}',
        '{"size": "1", "color": "red"}',
        '{"size": 1}',
        '{"size": 1, "size": 2, "color": "red"}',
        '{"size": 1, "color": "red", "other": 1}',
    ],
)
def test_invalid_row_is_left_to_the_parser(features: str) -> None:
    assert DECODER.decode_row(f'{{"features": {features}}}'.encode()) is None
    assert DECODER.decode_batch(f'{{"instances": [{features}]}}'.encode()) is None


def test_columns_have_nan_as_missing_and_no_infinity() -> None:
    decoded = DECODER.decode_columns({"size": [math.nan, 1], "color": ["red", "blue"]}, 2)
    assert decoded == DecodedRows([(None, "red"), (1.0, "blue")], [])
    assert DECODER.decode_columns({"size": [math.inf], "color": ["red"]}, 1) is None


@pytest.mark.parametrize("bound", [True, "a", math.inf, math.nan])
def test_bound_that_the_decoder_cannot_express_is_checked_after_decoding(bound: Any) -> None:
    decoder = FastDecoder((Column("count", "integer", "Int64", checks={"ge": bound}),))
    assert decoder.decode_row(b'{"features": {"count": 0}}') is None


WITH_ID = FastDecoder(
    (Column("note", "text", "string", nullable=True),), other_names=("answer", "row"), id_names=("row",)
)


@pytest.mark.parametrize("row", ['{"note": "a:b", "row": "1:2"}', '{"row": "1:2", "answer": ":"}', '{"row": "1:2"}'])
def test_declared_columns_that_are_no_features_and_colons_in_texts_are_decoded_in_one_pass(row: str) -> None:
    decoded = WITH_ID.decode_row(f'{{"features": {row}}}'.encode())
    assert decoded == WITH_ID.decode_batch(f'{{"instances": [{row}]}}'.encode())
    assert decoded is not None
    assert decoded.ids == [',"ids":{"row":"1:2"}']


@pytest.mark.parametrize("row", ['{"row": 1, "row": 1}', '{"note": ":", "note": ""}', '{"row": {"a": 1, "a": 2}}'])
def test_a_repeated_key_is_left_to_the_parser(row: str) -> None:
    assert WITH_ID.decode_row(f'{{"features": {row}}}'.encode()) is None
