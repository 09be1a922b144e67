"""Values of each operation, worked out by hand: with missing values, without infinities, the same bits alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.expressions import DerivedColumns
from pipeline.expressions.operations import FUNCTIONS, OPERATORS
from pipeline.schema import Column
from tests.fixtures.toy_dataset import ROOT

NAN = math.nan
COLUMNS = [
    Column("x", "float", "Float64"),
    Column("y", "float", "Float64"),
    Column("b", "boolean", "boolean"),
    Column("c", "boolean", "boolean"),
    Column("at", "datetime", "datetime64[us]"),
    Column("due", "datetime", "datetime64[us]"),
    Column("plan", "category", "category", categories=("free", "pro")),
    Column("note", "text", "string"),
]


def value(text: str, **row: object) -> float:
    (result,) = DerivedColumns.parse({"d": text}, COLUMNS).compute({name: [row[name]] for name in row})["d"]
    return float(result)


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


@pytest.mark.parametrize(
    ("text", "x", "y", "expected"),
    [
        ("x / y", 7.0, 2.0, 3.5),
        ("x / y", 7.0, 0.0, NAN),
        ("x / y", 0.0, 0.0, NAN),
        ("1 / (x / y)", 7.0, 0.0, NAN),
        ("x % y", 7.0, 0.0, NAN),
        ("x % y", -7.0, 4.0, 1.0),
        ("x * y", 1e200, 1e200, NAN),
        ("x + y", 1.7e308, 1.7e308, NAN),
        ("x - y", -1.7e308, 1.7e308, NAN),
        ("x ** y", 2.0, 10.0, 1024.0),
        ("x ** y", 0.0, -1.0, NAN),
        ("x ** y", -8.0, 0.5, NAN),
        ("x ** y", None, 0.0, 1.0),
        ("x + y", None, 2.0, NAN),
        ("abs(x)", -2.5, 0.0, 2.5),
        ("sqrt(x)", 9.0, 0.0, 3.0),
        ("sqrt(x)", -9.0, 0.0, NAN),
        ("log(x)", 1.0, 0.0, 0.0),
        ("log(x)", 0.0, 0.0, NAN),
        ("log(x)", -1.0, 0.0, NAN),
        ("log1p(x)", 0.0, 0.0, 0.0),
        ("log1p(x)", -1.0, 0.0, NAN),
        ("exp(x)", 0.0, 0.0, 1.0),
        ("exp(x)", 1000.0, 0.0, NAN),
        ("floor(x)", -1.5, 0.0, -2.0),
        ("ceil(x)", -1.5, 0.0, -1.0),
        ("round(x)", 2.5, 0.0, 2.0),
        ("min(x, y)", 1.0, None, NAN),
        ("max(x, y, 3)", 1.0, 2.0, 3.0),
        ("sum(x, y, 3)", 1.0, 2.0, 6.0),
        ("coalesce(x, y, 3)", None, None, 3.0),
        ("coalesce(x, y)", None, 2.0, 2.0),
        ("x < y", 1.0, 2.0, 1.0),
        ("x <= y", 2.0, 2.0, 1.0),
        ("x > y", 2.0, 2.0, 0.0),
        ("x >= y", None, 2.0, NAN),
        ("x == y", 2.0, 2.0, 1.0),
        ("x != y", 2.0, None, NAN),
        ("is_missing(x)", None, 0.0, 1.0),
        ("is_missing(x / y)", 1.0, 0.0, 1.0),
        ("if(x > 0, y, missing)", 1.0, 5.0, 5.0),
        ("if(x > 0, y, missing)", -1.0, 5.0, NAN),
        ("if(x > 0, y, 1)", None, 5.0, NAN),
    ],
)
def test_numbers_and_missing_values_give_what_the_reference_defines(text, x, y, expected) -> None:
    assert same(value(text, x=x, y=y), expected)


@pytest.mark.parametrize(
    ("b", "c", "both", "either", "equal"),
    [
        (True, True, 1, 1, 1),
        (True, False, 0, 1, 0),
        (False, None, 0, NAN, NAN),
        (True, None, NAN, 1, NAN),
        (None, None, NAN, NAN, NAN),
        (None, False, 0, NAN, NAN),
    ],
)
def test_and_and_or_are_those_of_sql(b, c, both, either, equal) -> None:
    results = [value(text, b=b, c=c) for text in ("b and c", "b or c", "b == c", "not (b != c)")]
    assert all(map(same, results, [both, either, equal, equal]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("year(at)", 2024),
        ("month(at)", 2),
        ("day(at)", 29),
        ("weekday(at)", 3),
        ("day_of_year(at)", 60),
        ("hour(at)", 18),
        ("due - at", 1.25),
        ("days_between(at, due)", 1.25),
        ("days_between(due, at)", -1.25),
        ('at - "2024-02-29"', 0.75),
        ('at > "2024-02-29"', 1),
        ('"2024-02-29T18:00:00" == at', 1),
        ("at < due", 1),
        ("is_missing(at)", 0),
    ],
)
def test_dates_have_parts_differences_and_an_order(text, expected) -> None:
    assert value(text, at="2024-02-29T18:00:00", due="2024-03-02") == expected


@pytest.mark.parametrize(
    "moment", ["1969-12-31T23:00:00", "1900-03-01", "0001-01-01", "9999-12-31T23:59:59", "2000-02-29"]
)
def test_parts_of_a_date_are_those_of_the_calendar(moment) -> None:
    from datetime import datetime

    day = datetime.fromisoformat(moment)
    expected = [day.year, day.month, day.day, day.weekday(), day.timetuple().tm_yday, day.hour]
    parts = ("year", "month", "day", "weekday", "day_of_year", "hour")
    assert [value(f"{part}(at)", at=moment) for part in parts] == expected


@pytest.mark.parametrize("text", ["year(at)", "weekday(at)", "hour(at)", "due - at", "at < due", "day_of_year(at)"])
def test_a_missing_date_stays_missing(text) -> None:
    assert math.isnan(value(text, at=None, due="2024-03-02"))


@pytest.mark.parametrize(
    ("text", "plan", "note", "expected"),
    [
        ('plan == "pro"', "pro", "", 1),
        ('plan != "pro"', "free", "", 1),
        ('plan == "pro"', "a new word", "", 0),
        ('plan == "pro"', None, "", NAN),
        ("plan == note", "pro", "pro", 1),
        ("plan == note", "pro", "free", 0),
        ("plan != note", "pro", None, NAN),
        ("length(note)", None, "äöü", 3),
        ("length(note)", None, None, NAN),
        ('contains(note, "late")', None, "too late", 1),
        ('contains(note, "late")', None, "LATE", 0),
        ("is_missing(note)", None, None, 1),
        ("is_missing(note)", None, "", 0),
    ],
)
def test_texts_are_compared_and_measured_by_characters(text, plan, note, expected) -> None:
    assert same(value(text, plan=plan, note=note), expected)


NUMERIC = [
    *(f"{name}(x)" for name in FUNCTIONS if FUNCTIONS[name].signatures[0].arguments == ("number",)),
    *(f"{name}(x, y)" for name in FUNCTIONS if FUNCTIONS[name].signatures[0].arguments == ("number", "number")),
    *(f"x {sign} y" for sign in OPERATORS if OPERATORS[sign].signatures[0].arguments == ("number", "number")),
    "abs(x) ** y",
    "abs(x) ** round(y)",
    "x ** 2",
    "x ** 0.5",
    "2 ** y",
    "log(abs(x)) * exp(y) - sqrt(abs(x)) / y",
]


@pytest.fixture(scope="module")
def numbers() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 160)) * 10.0 ** generator.integers(-3, 4, (2, 160))
    x[::11], y[::13], y[5::17] = np.nan, np.nan, 2.0
    return {"x": x, "y": y}


@pytest.mark.parametrize("text", NUMERIC)
def test_a_row_has_the_same_bits_in_every_batch(text, numbers) -> None:
    """Vector instructions take several rows at once and treat the rest, or the start, in another way."""
    derived = DerivedColumns.parse({"d": text}, COLUMNS)
    whole = derived.compute(numbers)["d"].tobytes()
    for n_rows in (*range(1, 18), 31, 32, 33, 63, 64, 65, 70):
        for start in (0, 1, 2, 3, 5, 7, 8, 15, 33, 64, 90):
            part = derived.compute({name: values[start : start + n_rows] for name, values in numbers.items()})["d"]
            assert part.tobytes() == whole[8 * start : 8 * (start + n_rows)]


def test_the_reference_lists_every_operator_and_function() -> None:
    page = (ROOT / "docs/reference/derived-columns.md").read_text(encoding="utf-8")
    operators = {name for name in OPERATORS if name != "negative"}
    assert {name for name in FUNCTIONS if f"`{name}(" not in page} == set()
    assert {name for name in operators if f"`{name}`" not in page} == set()
