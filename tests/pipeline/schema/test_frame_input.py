"""Frames of every library become the same pandas frame, and anything else is refused in words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError, UnsupportedFrame, UsageError
from pipeline.schema.frame_input import as_frame, as_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

MAX_UINT64 = 2**64 - 1
WHEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
# Values of a column, its Arrow type, and the values and the dtype that the frame has; None is missing.
COLUMNS: dict[str, tuple[list[Any], pa.DataType, list[Any], str]] = {
    "whole numbers": ([1, None, 2**62 + 1], pa.int64(), [1, None, 2**62 + 1], "Int64"),
    "small whole numbers": ([1, None, 3], pa.int8(), [1, None, 3], "Int8"),
    "large whole numbers": ([1, MAX_UINT64, None], pa.uint64(), [1, MAX_UINT64, None], "UInt64"),
    "numbers, NaN and null": ([1.5, float("nan"), None], pa.float64(), [1.5, None, None], "float64"),
    "narrow numbers": ([0.5, None, 2.0], pa.float32(), [0.5, None, 2.0], "float32"),
    "decimals": ([Decimal("2.50"), None, Decimal(0)], pa.decimal128(10, 2), [2.5, None, 0.0], "float64"),
    "whole decimals": ([Decimal(7), Decimal(0), Decimal(1)], pa.decimal128(9, 0), [7, 0, 1], "Int64"),
    "booleans": ([True, None, False], pa.bool_(), [True, None, False], "boolean"),
    "words": (["a", None, "b"], pa.string(), ["a", None, "b"], "string"),
    "long words": (["a", None, "b"], pa.large_string(), ["a", None, "b"], "string"),
    "word views": (["a", None, "b"], pa.string_view(), ["a", None, "b"], "string"),
    "coded words": (["a", None, "a"], pa.dictionary(pa.uint32(), pa.string()), ["a", None, "a"], "string"),
    "coded numbers": ([5, None, 5], pa.dictionary(pa.int8(), pa.int64()), [5, None, 5], "Int64"),
    "dates": (
        [date(2026, 3, 1), None, date(1969, 12, 31)],
        pa.date32(),
        [datetime(2026, 3, 1), None, datetime(1969, 12, 31)],  # noqa: DTZ001 - a date has no zone
        "datetime64[us]",
    ),
    "moments of a zone": ([WHEN, None, WHEN], pa.timestamp("us", "UTC"), [WHEN, None, WHEN], "datetime64[us, UTC]"),
    "nothing": ([None, None, None], pa.null(), [None, None, None], "object"),
}
FORMS: dict[str, Callable[[pa.Table], Any]] = {
    "table": lambda table: table,
    "record batch": lambda table: table.combine_chunks().to_batches()[0],
    "reader": lambda table: table.to_reader(),
    "column of structs": lambda table: pa.chunked_array(table.to_struct_array().chunks),
    "pandas with Arrow dtypes": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "chunks": lambda table: pa.concat_tables([table.slice(0, 1), table.slice(1)]),
}


def values_of(frame: pd.DataFrame, name: str) -> list[Any]:
    return [None if pd.isna(value) else value for value in frame[name].tolist()]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize(("given_values", "kind", "values", "dtype"), COLUMNS.values(), ids=COLUMNS.keys())
def test_arrow_data_becomes_a_frame_with_the_same_values(
    given_values: list[Any], kind: pa.DataType, values: list[Any], dtype: str, form: Callable[[pa.Table], Any]
) -> None:
    frame = as_frame(form(pa.table({"x": pa.array(given_values, kind)})))
    assert (values_of(frame, "x"), str(frame["x"].dtype)) == (values, dtype)


@st.composite
def columns_of_words_and_numbers(draw: DrawFn) -> dict[str, list[Any]]:
    n_rows = draw(st.integers(0, 6))
    values = {
        "number": st.none() | st.floats(allow_infinity=False),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "flag": st.none() | st.booleans(),
        "word": st.none() | st.text(max_size=4),
    }
    return {name: draw(st.lists(each, min_size=n_rows, max_size=n_rows)) for name, each in values.items()}


DATABASE = duckdb.connect()
SCHEMA = pa.schema({"number": pa.float64(), "count": pa.int64(), "flag": pa.bool_(), "word": pa.string()})


@settings(deadline=None, max_examples=50)
@given(columns=columns_of_words_and_numbers())
def test_every_library_gives_the_same_frame(columns: dict[str, list[Any]]) -> None:
    table = pa.table(columns, schema=SCHEMA)
    expected = as_frame(table)
    for rows in (pl.from_arrow(table), DATABASE.from_arrow(table), table.to_pandas(types_mapper=pd.ArrowDtype)):
        pd.testing.assert_frame_equal(as_frame(rows), expected)


def test_polars_categories_are_words() -> None:
    frame = pl.DataFrame({"x": ["a", None, "b"], "y": ["a", "b", "a"]}).cast(
        {"x": pl.Categorical, "y": pl.Enum(["b", "a"])}
    )
    assert [values_of(as_frame(frame), name) for name in frame.columns] == [["a", None, "b"], ["a", "b", "a"]]


def test_a_pandas_frame_stays_as_it_is() -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", None]}, index=[7, 3])
    assert as_frame(frame) is frame


def test_decimals_of_pandas_are_numbers() -> None:
    frame = pd.DataFrame({"x": [Decimal("1.5"), None], "y": [1, 2]}, index=[7, 3])
    assert as_frame(frame).to_dict("index") == {
        7: {"x": 1.5, "y": 1},
        3: {"x": pytest.approx(np.nan, nan_ok=True), "y": 2},
    }


def test_records_may_leave_a_name_out() -> None:
    frame = as_frame([{"a": 2**62 + 1, "b": "x"}, {"b": "y", "c": True}])
    assert [values_of(frame, name) for name in frame] == [[2**62 + 1, None], ["x", "y"], [None, True]]


def test_columns_of_a_mapping_belong_together_by_position() -> None:
    frame = as_frame({"a": pd.Series([1, 2], index=[5, 6]), "b": pl.Series([3, 4]), "c": np.array([5, 6])})
    assert frame.to_numpy().tolist() == [[1, 3, 5], [2, 4, 6]]


def test_a_structured_array_has_names() -> None:
    assert as_frame(np.array([(1, 2.5)], dtype=[("a", "i8"), ("b", "f8")])).to_dict("list") == {"a": [1], "b": [2.5]}


def test_an_array_may_be_named_by_positions_where_that_is_clear() -> None:
    assert list(as_frame(np.zeros((2, 3)), takes_positions=True)) == ["0", "1", "2"]


REFUSED: dict[str, tuple[Any, str]] = {
    "array": (np.zeros((2, 2)), r"found ndarray; expected a frame .*pd\.DataFrame\(array, columns="),
    "list of numbers": ([1, 2], "found list; expected a frame"),
    "empty list": ([], "found list; expected a frame"),
    "pandas Series": (pd.Series([1]), r"found Series; .*to_frame\(\)\.T"),
    "polars Series": (pl.Series([1]), "found Series"),
    "Arrow array": (pa.array([1]), "found Int64Array"),
    "lazy frame": (pl.LazyFrame({"a": [1]}), r"found LazyFrame; .*frame\.collect\(\)"),
    "generator": ((row for row in [{"a": 1}]), r"found generator; .*list\(generator\)"),
    "file name": ("rows.csv", r"found str; .*pd\.read_csv"),
    "nothing": (None, "found NoneType"),
    "class": (pd.DataFrame, "found the class DataFrame"),
    "one row": ({"a": 1, "b": [2]}, "found a mapping with one value for a; expected a list of values"),
    "empty mapping": ({}, "found a mapping with no columns"),
    "two levels": (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "in 2 levels"),
}


@pytest.mark.parametrize(("rows", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_frame_is_refused(rows: Any, message: str) -> None:
    with pytest.raises(UnsupportedFrame, match=message):
        as_frame(rows)


def test_a_refusal_is_a_type_error() -> None:
    assert issubclass(UnsupportedFrame, TypeError)


@pytest.mark.parametrize(
    "rows",
    [pd.DataFrame([[1, 2]], columns=["a", "a"]), pa.table([[1], [2]], names=["a", "a"])],
    ids=["pandas", "arrow"],
)
def test_two_columns_of_one_name_are_refused(rows: Any) -> None:
    with pytest.raises(UsageError, match="columns a occur more than once"):
        as_frame(rows)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError, match=r"a has 1, b has 2"):
        as_frame({"a": [1], "b": [1, 2]})


LABELS: dict[str, Any] = {
    "list": ["no", "yes"],
    "Series": pd.Series(["no", "yes"], index=[4, 9]),
    "categorical": pd.Categorical(["no", "yes"]),
    "array": np.array([["no"], ["yes"]]),
    "frame of one column": pd.DataFrame({"y": ["no", "yes"]}),
    "polars": pl.Series("y", ["no", "yes"]),
    "polars frame": pl.DataFrame({"y": ["no", "yes"]}),
    "Arrow array": pa.array(["no", "yes"]),
    "Arrow chunks": pa.chunked_array([["no"], ["yes"]]),
    "DuckDB": duckdb.sql("SELECT * FROM (VALUES ('no'), ('yes')) AS rows(y)"),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
def test_labels_come_from_every_library(labels: Any) -> None:
    series = as_labels(labels)
    assert (series.tolist(), series.index.tolist()) == (["no", "yes"], [0, 1])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "found NoneType; expected a Series"),
        ("yes", "found str; expected a Series"),
        (np.zeros((2, 2)), r"has the shape \(2, 2\)"),
        (pd.DataFrame({"a": [1], "b": [2]}), "found 2 columns"),
    ],
    ids=["nothing", "text", "matrix", "two columns"],
)
def test_what_is_no_column_of_labels_is_refused(labels: Any, message: str) -> None:
    with pytest.raises(UnsupportedFrame, match=message):
        as_labels(labels)
