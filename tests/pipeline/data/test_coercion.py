from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from pipeline.data.coercion import coerce_table, coerce_to_schema
from pipeline.errors import DataError
from pipeline.schema import Column, Schema, Target, TextFormat

if TYPE_CHECKING:
    from pipeline.schema import ColumnKind

SCHEMA = Schema("small", (Column("size", "integer", "Int64", nullable=True),), Target("outcome", ("no", "yes"), "yes"))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("integer", pa.array([4.0, None, float("nan")]), [4, None, None]),
        ("float", pa.array([1, 2]), [1.0, 2.0]),
        ("category", pa.array([1, 0]), ["1", "0"]),
        ("category", pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        ("text", pa.array(["a"], pa.large_string()), ["a"]),
        ("boolean", pa.array([None, None], pa.null()), [None, None]),
    ],
)
def test_values_are_converted_without_loss(kind: ColumnKind, values: pa.Array, expected: list[Any]) -> None:
    table = coerce_table(pa.table({"value": values}), {"value": TextFormat(kind)}, where="made", private_notes={})
    assert table.column("value").to_pylist() == expected


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", pa.array([4.5])),
        ("integer", pa.array(["4"])),
        ("float", pa.array([float("inf")])),
        ("boolean", pa.array([1])),
        ("datetime", pa.array(["2026-01-31"])),
        ("text", pa.array([1])),
    ],
)
def test_conversion_with_loss_is_refused(kind: ColumnKind, values: pa.Array) -> None:
    with pytest.raises(DataError, match=rf"made: value: {kind}: .*\nmade: nothing was read; correct the source"):
        coerce_table(pa.table({"value": values}), {"value": TextFormat(kind)}, where="made", private_notes={})


def test_missing_column_is_named_with_the_nearest() -> None:
    table = pa.table({"sise": [1], "outcome": ["no"]})
    with pytest.raises(DataError, match=r"made: size: missing; the source has: sise, outcome; did you mean 'sise'\?"):
        coerce_to_schema(table, SCHEMA, where="made")


def test_empty_table_is_refused() -> None:
    empty = pa.table({"size": pa.array([], pa.int64()), "outcome": pa.array([], pa.string())})
    with pytest.raises(DataError, match="made: has no rows; check its query or file"):
        coerce_to_schema(empty, SCHEMA, where="made")
