"""Filters by column select what a plain filter in Python selects, on both databases."""

from __future__ import annotations

import json
import operator
import random
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from pipeline.errors import UsageError
from pipeline.monitoring.drift.bin_labels import bin_filters
from pipeline.package import Bins
from pipeline.state import PredictionQuery, PredictionWriter
from pipeline.state.column_filters import OPERATORS, ColumnFilter, as_number, parse_column_filter
from tests.pipeline.state.test_prediction_search import make_row

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPARE = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
VALUES = (None, True, False, 0, 7, -3, 2.5, 7.0, 1e20, "Yes", "yes", "7", "", "zoë", '"q', "2024-01-05", {"bin": 3})
COLUMNS = ("size", 'a"b', "größe", "a.b[0]", "$", "back\\slash")


def is_met(features: Mapping[str, Any], column_filter: ColumnFilter) -> bool:
    """Whether features meet a filter, in plain Python."""
    stored, number = features.get(column_filter.column), as_number(column_filter.value)
    if column_filter.operator == "is missing" or stored is None:
        return column_filter.operator == "is missing" and stored is None
    compare, is_equality = COMPARE[column_filter.operator], column_filter.operator in ("=", "!=")
    if isinstance(stored, dict):
        return False
    if isinstance(stored, bool):
        return is_equality and bool(compare(str(stored).lower(), column_filter.value.lower()))
    if isinstance(stored, str):
        return (is_equality or number is None) and bool(compare(stored, column_filter.value))
    return column_filter.operator == "!=" if number is None else bool(compare(stored, number))


def test_a_filter_selects_what_a_plain_filter_selects(state: store.State) -> None:
    draw = random.Random(7)
    rows = [{name: draw.choice(VALUES) for name in draw.sample(COLUMNS, 4)} for _ in range(60)]
    writer = PredictionWriter(state)
    texts = [json.dumps(row, ensure_ascii=bool(number % 2)) for number, row in enumerate(rows)]
    writer.write([make_row(number, features=text) for number, text in enumerate(texts)])
    writer.close()
    texts_to_find = ["7", "7.0", "-3", "2.5", "1e20", "Yes", "TRUE", "", "zoë", '"q', "2024-01-05", "nothing"]
    filters = [
        ColumnFilter(column, symbol, draw.choice(texts_to_find)) for column in COLUMNS for symbol in OPERATORS * 2
    ]
    with state.reading() as connection:
        for column_filter in filters:
            page = store.search_predictions(connection, PredictionQuery("m", filters=(column_filter,)), limit=100)
            expected = {f"id-{number}" for number, row in enumerate(rows) if is_met(row, column_filter)}
            assert {prediction.prediction_id for prediction in page.predictions} == expected, column_filter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Time_spent_Alone>=8", ColumnFilter("Time_spent_Alone", ">=", "8")),
        ("time spent alone = 8 ", ColumnFilter("Time_spent_Alone", "=", "8")),
        ("Stage_fear is missing", ColumnFilter("Stage_fear", "is missing")),
        ("a<b<3", ColumnFilter("a<b", "<", "3")),
        ("a!=x=y", ColumnFilter("a", "!=", "x=y")),
        ("Introvert", None),
        ("", None),
    ],
)
def test_a_text_becomes_a_filter(text: str, expected: ColumnFilter | None) -> None:
    columns = ("Time_spent_Alone", "Stage_fear", "a", "a<b")
    parsed = parse_column_filter(text, {**dict(zip(columns, columns, strict=True)), "Time spent alone": columns[0]})
    assert parsed == expected


def test_the_filters_that_select_a_bin_are_understood() -> None:
    bins = [
        Bins("a<b", "quantiles", (0.1, 2.5, 1e20), (1, 1, 0, 0, 0)),
        Bins("size", "values", (-3, 4), (1, 1, 0, 0, 0, 0)),
        Bins("plan", "words", ("x=y", "z"), (1, 1, 0, 0)),
    ]
    texts = [text for each in bins for filters in bin_filters(each) for text in filters]
    parsed = [parse_column_filter(text, {each.name: each.name for each in bins}) for text in texts]
    assert [str(column_filter) for column_filter in parsed] == texts


@pytest.mark.parametrize(
    ("text", "expected"), [("9" * 19, 10.0**19), (str(2**63 - 1), 2**63 - 1), ("9" * 5000, None), ("0" * 5000, 0.0)]
)
def test_a_number_may_have_any_number_of_digits(text: str, expected: float | None) -> None:
    assert as_number(text) == expected


def test_an_unknown_column_is_named_with_the_closest_one() -> None:
    with pytest.raises(UsageError, match=r"'sise' is not a column .*did you mean 'size'"):
        parse_column_filter("sise>3", {"size": "size"})


def test_the_text_of_a_filter_is_parsed_as_the_same_filter() -> None:
    filters = [ColumnFilter("size", symbol, "" if symbol == "is missing" else "3") for symbol in OPERATORS]
    assert [parse_column_filter(str(column_filter), {"size": "size"}) for column_filter in filters] == filters
