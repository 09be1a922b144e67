from __future__ import annotations

from datetime import datetime
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
        ("integer", pa.array(["4", None]), [4, None]),
        ("float", pa.array(["4.5"], pa.large_string()), [4.5]),
        ("boolean", pa.array(["True"]), [True]),
        ("datetime", pa.array(["2026-01-31"]), [datetime(2026, 1, 31)]),  # noqa: DTZ001
        ("text", pa.array([9223372036854775808], pa.uint64()), ["9223372036854775808"]),
    ],
)
def test_values_are_converted_without_loss(kind: ColumnKind, values: pa.Array, expected: list[Any]) -> None:
    table = coerce_table(pa.table({"value": values}), {"value": TextFormat(kind)}, where="made", private_notes={})
    assert table.column("value").to_pylist() == expected


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", pa.array([4.5])),
        ("integer", pa.array(["007"])),
        ("integer", pa.array([9223372036854775808], pa.uint64())),
        ("float", pa.array([float("inf")])),
        ("boolean", pa.array([1])),
        ("datetime", pa.array(["31.01.2026"])),
        ("text", pa.array([1.5])),
    ],
)
def test_conversion_with_loss_is_refused(kind: ColumnKind, values: pa.Array) -> None:
    with pytest.raises(DataError, match=rf"made: value: {kind}: .*\nmade: nothing was read; correct the source"):
        coerce_table(pa.table({"value": values}), {"value": TextFormat(kind)}, where="made", private_notes={})


@pytest.mark.parametrize(
    ("text_format", "values", "expected"),
    [
        (TextFormat("float", format="duration"), pa.array([5_400_000_000], pa.duration("us")), 5400.0),
        (TextFormat("float", format="duration"), pa.array([5400], pa.time32("s")), 5400.0),
        (TextFormat("float", null_values=("inf",)), pa.array([float("inf")]), None),
        (TextFormat("boolean", true_values=("1",), false_values=("2",)), pa.array([2]), False),
        (TextFormat("datetime", format="%Y%m%d"), pa.array([20260131]), datetime(2026, 1, 31)),  # noqa: DTZ001
        (TextFormat("datetime", format="epoch_days"), pa.array([20484.0, None]), datetime(2026, 1, 31)),  # noqa: DTZ001
        (
            TextFormat("datetime", zone="Europe/Berlin"),
            pa.array([datetime(2026, 1, 31, 1)]),  # noqa: DTZ001
            datetime(2026, 1, 31),  # noqa: DTZ001
        ),
    ],
)
def test_typed_values_follow_the_declared_form(text_format: TextFormat, values: pa.Array, expected: Any) -> None:
    table = coerce_table(pa.table({"value": values}), {"value": text_format}, where="made", private_notes={})
    assert table.column("value")[0].as_py() == expected


@pytest.mark.parametrize(
    ("text_format", "words", "expected", "is_dictionary"),
    [
        (TextFormat("category"), ["a", "b"], ["b", "a", None], True),
        (TextFormat("category"), ["a", "a"], ["a", "a", None], False),
        (TextFormat("category", null_values=("a",)), ["a", "b"], ["b", None, None], False),
        (TextFormat("integer"), ["1", "2"], [2, 1, None], False),
    ],
)
def test_a_dictionary_remains_where_its_words_are_distinct(
    text_format: TextFormat, words: list[str], expected: list[Any], *, is_dictionary: bool
) -> None:
    values = pa.DictionaryArray.from_arrays(pa.array([1, 0, None], pa.int32()), pa.array(words))
    table = coerce_table(
        pa.table({"value": values}), {"value": text_format}, where="made", private_notes={}, keeps_words=True
    )
    assert table.column("value").to_pylist() == expected
    assert pa.types.is_dictionary(table.column("value").type) is is_dictionary


def test_an_invalid_word_of_a_dictionary_is_named_by_its_row() -> None:
    words = pa.array(["a", "b\0"])
    values = pa.DictionaryArray.from_arrays(pa.array([0, 0, 1], pa.int32()), words)
    with pytest.raises(DataError, match=r"made: value: category: .*U\+0000"):
        coerce_table(
            pa.table({"value": values}),
            {"value": TextFormat("category")},
            where="made",
            private_notes={},
            keeps_words=True,
        )


def test_a_time_that_clocks_skipped_is_refused() -> None:
    moments = pa.table({"value": pa.array([datetime(2026, 3, 29, 2, 30)])})  # noqa: DTZ001
    formats = {"value": TextFormat("datetime", zone="Europe/Berlin")}
    with pytest.raises(DataError, match="clocks in Europe/Berlin never showed this time"):
        coerce_table(moments, formats, where="made", private_notes={})


def test_missing_column_is_named_with_the_nearest() -> None:
    table = pa.table({"sise": [1], "outcome": ["no"]})
    with pytest.raises(DataError, match=r"made: size: missing; the source has: sise, outcome; did you mean 'sise'\?"):
        coerce_to_schema(table, SCHEMA, where="made")


def test_empty_table_is_refused() -> None:
    empty = pa.table({"size": pa.array([], pa.int64()), "outcome": pa.array([], pa.string())})
    with pytest.raises(DataError, match="made: has no rows; check its query or file"):
        coerce_to_schema(empty, SCHEMA, where="made")
