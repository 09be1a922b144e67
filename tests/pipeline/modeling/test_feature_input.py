"""A package reads the features of rows by one rule: which may be absent, and which kinds of values they have."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pipeline.errors import DataError
from pipeline.modeling.feature_input import read_features
from tests.fixtures.toy_dataset import rows, schema

SCHEMA = schema()
FRAME = rows(6)


def with_column(name: str, values: Any) -> pd.DataFrame:
    return FRAME.assign(**{name: values})


def test_a_frame_of_declared_kinds_stays_as_it_is() -> None:
    assert read_features(FRAME, SCHEMA) is FRAME


def test_plain_columns_stay_plain() -> None:
    columns = {name: [None, 1] for name in ("size", "count")}
    assert read_features(columns, SCHEMA)["size"] == [None, 1]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, np.float64("nan"), pd.NaT], ids=repr)
@pytest.mark.parametrize("name", ["size", "colour", "is_new", "seen_at", "note"])
def test_every_missing_marker_in_a_list_is_missing(name: str, missing: Any) -> None:
    assert read_features({name: [missing]}, SCHEMA)[name] == [None]


@pytest.mark.parametrize(
    "as_input",
    [lambda frame: frame, pl.from_pandas, lambda frame: frame.to_dict("list")],
    ids=["pandas", "polars", "lists"],
)
def test_an_absent_nullable_feature_is_missing_in_each_row(as_input: Any) -> None:
    features = read_features(as_input(FRAME.drop(columns=["size", "colour"])), SCHEMA)
    assert pd.isna(pd.Series(features["size"])).all()
    assert pd.isna(pd.Series(features["colour"])).all()


def test_an_absent_feature_that_must_be_there_is_refused() -> None:
    columns = tuple(replace(column, nullable=column.name != "count") for column in SCHEMA.columns)
    with pytest.raises(DataError, match="count: the rows have no such column, and its values must not be missing"):
        read_features(FRAME.drop(columns="count"), replace(SCHEMA, columns=columns))


@pytest.mark.parametrize("name", ["Colour", "colours", "COLOUR"])
def test_a_column_with_almost_the_name_of_an_absent_feature_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"colour: the rows have no such column, and one called '{name}'; rename it"):
        read_features(FRAME.rename(columns={"colour": name}), SCHEMA)


def test_rows_with_none_of_the_features_are_refused() -> None:
    with pytest.raises(DataError, match="has none of the features; expected columns with the names size, count"):
        read_features({"other": [1]}, SCHEMA)


WRONG: dict[str, tuple[str, Any, str]] = {
    "numbers as words": ("size", ["4.0"] * 6, "size: found texts, such as '4.0'; expected a number.*pd.to_numeric"),
    "whole numbers as words": ("count", ["4"] * 6, "count: found texts, such as '4'"),
    "one word among numbers": ("size", pd.Series([1.0, "n/a", 2, 3, 4, 5], dtype=object), "such as 'n/a'"),
    "booleans for words": ("colour", [True] * 6, r"colour: found booleans, such as True; expected .*\.map\("),
    "booleans for numbers": ("count", [True, False] * 3, "count: found booleans"),
    "words for booleans": ("is_new", ["yes"] * 6, "is_new: found texts"),
    "other numbers for booleans": ("is_new", [0, 1, 2, 0, 1, 0], "is_new: found 2"),
    "numbers for moments": ("seen_at", [1] * 6, "seen_at: found numbers"),
    "moments for numbers": ("size", [datetime(2026, 1, 1)] * 6, "size: found moments"),  # noqa: DTZ001 - as in pandas
    "fractions for words": ("colour", [1.5] * 6, "colour: found 1.5"),
    "bytes for words": ("colour", [b"red"] * 6, "colour: found (bytes|binary), such as b'red'"),
    "codes of booleans": ("colour", pd.Categorical([True, False] * 3), "colour: found booleans"),
}
FORMS: dict[str, Any] = {
    "frame": with_column,
    "list": lambda name, values: {name: list(values)},
    "Arrow": lambda name, values: {name: pa.array(list(values))},
}


@pytest.mark.parametrize("form", ["frame", "list", "Arrow"])
@pytest.mark.parametrize(("name", "values", "message"), WRONG.values(), ids=WRONG.keys())
def test_values_of_another_kind_are_refused(name: str, values: Any, message: str, form: str) -> None:
    if form == "Arrow" and isinstance(values, pd.Series):
        pytest.skip("an Arrow column has one type")
    with pytest.raises(DataError, match=message):
        read_features(FORMS[form](name, values), SCHEMA)


def test_a_refusal_shows_no_value_of_a_private_column() -> None:
    columns = tuple(replace(column, store="hash") if column.name == "count" else column for column in SCHEMA.columns)
    with pytest.raises(DataError, match="count: found texts; expected") as refused:
        read_features(with_column("count", ["a secret"] * 6), replace(SCHEMA, columns=columns))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, None],
        pd.Series([1, 2, None]),
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Categorical([1, 2, None]),
        pa.array([1, 2, None]),
    ],
    ids=["list", "floats", "nullable", "categorical", "Arrow"],
)
def test_whole_numbers_of_a_column_of_words_are_words(values: Any) -> None:
    columns = {"colour": values} if not isinstance(values, pd.Categorical) else pd.DataFrame({"colour": values})
    words = read_features(columns, SCHEMA)["colour"]
    found = words.to_pylist() if isinstance(words, pa.Array) else list(words)
    assert [None if pd.isna(word) else word for word in found] == ["1", "2", None]
