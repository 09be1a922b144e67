"""Derived columns: names, order, what they are computed from, and their form in a package."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.errors import ConfigError, DataError
from pipeline.expressions import DerivedColumns
from pipeline.schema import Column

COLUMNS = [
    Column("spent", "float", "Float64"),
    Column("visits", "integer", "Int64"),
    Column("salary", "float", "Float64", store="bin"),
    Column("customer", "text", "string", role="id"),
    Column("note", "text", "string"),
]
ROWS = {"spent": [10.0, None], "visits": [4, 2], "salary": [100.0, 50.0], "note": ["abc", None]}


def parse(**declared: str) -> DerivedColumns:
    return DerivedColumns.parse(declared, COLUMNS, target="bought")


def test_a_derived_column_may_use_a_later_one() -> None:
    derived = parse(c="b > 6", a="spent / visits", b="a * 2 + visits")
    values = {name: column.tolist() for name, column in derived.compute(ROWS).items()}
    assert str(values) == "{'a': [2.5, nan], 'b': [9.0, nan], 'c': [1.0, nan]}"
    assert derived.columns[2].sources == ("spent", "visits")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"spent": "visits * 2"}, r"derived\.spent: a column of data\.columns, or the target, has this name"),
        ({"bought": "visits * 2"}, "has this name"),
        ({"a b": "visits"}, "'a b' is no name"),
        ({"1a": "visits"}, "is no name"),
        ({"x=1": "visits"}, "is no name"),
        ({"log": "visits"}, "has a meaning in expressions"),
        ({"a": "b + 1", "b": "a + 1"}, "a, b use each other in a circle"),
        ({"a": "a + 1"}, "circle"),
        ({"a": "length(customer)"}, "'customer' has the role id; expressions use features"),
        ({"a": "bought + 1"}, "'bought' is the target"),
        ({"a": "rtae + 1", "rate": "spent / visits"}, "did you mean 'rate'"),
        ({"a": "b + 1", "b": "is_missing(spent)"}, r"derived\.a: .*write if\(condition, 1, 0\)"),
        ({f"a{i}": "visits" for i in range(201)}, "has 201 columns; expected at most 200"),
    ],
)
def test_a_wrong_declaration_is_refused(declared, message) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(**declared)


@pytest.mark.parametrize(
    ("rows", "message"),
    [({"visits": [1]}, "spent: the rows have no such column"), ({"spent": ["x"], "visits": [1]}, "cannot be read as")],
)
def test_rows_without_the_columns_are_refused(rows, message) -> None:
    with pytest.raises(DataError, match=message):
        parse(a="spent / visits").compute(rows)


def test_it_is_stored_as_text_and_computes_the_same() -> None:
    derived = parse(b="a ** 0.3", a='if(contains(note, "b"), log(spent), visits / 3)')
    loaded = DerivedColumns.from_dict(json.loads(json.dumps(derived.as_dict(), sort_keys=True)))
    assert loaded.as_dict() == derived.as_dict()
    assert np.array_equal(loaded.compute(ROWS)["b"], derived.compute(ROWS)["b"], equal_nan=True)


def test_a_part_has_what_it_uses() -> None:
    derived = parse(a="spent / visits", b="a * 2", c="length(note)")
    assert [column.name for column in derived.only({"b"}).columns] == ["a", "b"]
    assert derived.only({"c"}).source_names == ("note",)


def test_a_column_from_a_private_one_is_private() -> None:
    derived = parse(a="spent / salary", b="a > 1", c="spent / visits")
    assert {column.name: column.is_private for column in derived.as_declared(COLUMNS)} == {
        "a": True,
        "b": True,
        "c": False,
    }
