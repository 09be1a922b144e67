from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.schema import DTYPES, Column
from pipeline.serving.rows.value_checks import check_value

if TYPE_CHECKING:
    from pipeline.schema import ColumnKind


def error_of(column: Column, value: Any) -> tuple[str, str] | None:
    error = check_value(column, column.value_constraints, value, path="value")[1]
    return None if error is None else (error.rule, error.message)


@pytest.mark.parametrize(
    ("kind", "value", "converted"),
    [
        ("integer", 4.0, 4),
        ("float", 4, 4.0),
        ("boolean", True, True),
        ("category", "red", "red"),
        ("datetime", "2026-01-31 18:30", "2026-01-31 18:30"),
    ],
)
def test_valid_value_is_returned_in_the_form_of_its_kind(kind: ColumnKind, value: Any, converted: Any) -> None:
    column = Column("value", kind, DTYPES[kind])
    assert check_value(column, (), value, path="value") == (converted, None)


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("integer", "4", "a string"),
        ("integer", 2**63, "a number that 64 bits cannot hold"),
        ("float", True, "true or false"),
        ("text", ["a"], "a list"),
        ("datetime", "31.01.2026", "a string"),
    ],
)
def test_value_of_another_kind_is_an_error_of_type(kind: ColumnKind, value: Any, found: str) -> None:
    error = error_of(Column("value", kind, DTYPES[kind]), value)
    assert error is not None
    assert (error[0], error[1].partition("; found ")[2]) == ("type", found)


def test_error_names_the_first_failed_check_and_all_that_is_expected() -> None:
    checks = {"ge": 0, "ne": 3, "lt": 9}
    column = Column("value", "integer", "Int64", checks=checks, unit="cm", example=4)
    expected = "expected a whole number of at least 0 other than 3 less than 9 (unit: cm), such as 4"
    assert [error_of(column, value) for value in (-1, 3, 9, 4)] == [
        ("ge", expected),
        ("ne", expected),
        ("lt", expected),
        None,
    ]


def test_missing_value_is_valid_in_a_nullable_column_only() -> None:
    assert error_of(Column("value", "float", "Float64", nullable=True), None) is None
    assert error_of(Column("value", "float", "Float64"), None) == (
        "missing",
        "is missing; expected a number, and not null",
    )
