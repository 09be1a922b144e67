"""A value is converted to its declared kind, and an error names what is expected and never the value."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.schema import Column
from pipeline.serving.rows.value_checks import check_value

COLUMNS = {
    "integer": Column("x", "integer", "Int64"),
    "float": Column("x", "float", "Float64"),
    "boolean": Column("x", "boolean", "boolean"),
    "category": Column("x", "category", "category", categories=("a", "b"), checks={"isin": ["a", "b"]}),
    "text": Column("x", "text", "string"),
    "datetime": Column("x", "datetime", "datetime64[us]"),
}


def check(column: Column, value: Any) -> tuple[Any, str | None]:
    """Return the converted value and the violated rule."""
    converted, error = check_value(column, column.value_constraints, value, "features.x")
    return converted, None if error is None else error.rule


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("integer", 4, 4),
        ("integer", 4.0, 4),
        ("integer", -(2**63) + 1, -(2**63) + 1),
        ("float", 4, 4.0),
        ("boolean", False, False),
        ("category", "a", "a"),
        ("text", "é", "é"),
        ("datetime", "2026-01-31", "2026-01-31"),
        ("datetime", "2026-01-31 18:30", "2026-01-31 18:30"),
    ],
)
def test_a_valid_value_gets_its_declared_type(kind: str, value: Any, expected: Any) -> None:
    converted, rule = check(COLUMNS[kind], value)
    assert (converted, type(converted), rule) == (expected, type(expected), None)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", 4.5),
        ("integer", True),
        ("integer", 2**63),
        ("float", "4"),
        ("float", float("nan")),
        ("float", float("inf")),
        ("boolean", 1),
        ("text", 1),
        ("text", "a\0"),
        ("text", "\ud800"),
        ("datetime", "31.01.2026"),
        ("datetime", "2026-02-30"),
        ("datetime", "2026-01-31T18:30:00Z"),
    ],
)
def test_a_value_of_another_type_is_an_error(kind: str, value: Any) -> None:
    assert check(COLUMNS[kind], value) == (None, "type")


def test_a_violated_check_is_named() -> None:
    assert check(COLUMNS["category"], "c") == (None, "isin")


def test_null_is_missing_where_the_column_is_nullable() -> None:
    assert check(Column("x", "integer", "Int64", nullable=True), None) == (None, None)
    assert check(COLUMNS["integer"], None) == (None, "missing")


def test_an_error_never_repeats_the_value() -> None:
    column = Column("x", "integer", "Int64", checks={"le": 11}, maximum=11, unit="hours", example=4)
    _, error = check_value(column, column.value_constraints, 777, "features.x")
    assert str(error) == "features.x: expected a whole number of at most 11 (unit: hours), such as 4"
