from __future__ import annotations

import pandas as pd

from pipeline.schema import Column, Schema, Target
from pipeline.schema.failures import CellFailure, find_failures, list_failures

TARGET = Target("outcome", ("no", "yes"), "yes")


def test_failures_are_sorted_by_row_column_and_rule_whatever_the_index() -> None:
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    frame = pd.DataFrame(
        {"size": pd.array([9, None, 1], dtype="Int64"), "outcome": ["no", "yes", "?"]}, index=[7, 7, 7]
    )
    assert list_failures(frame, schema) == [
        CellFailure(0, "size", "le", "9"),
        CellFailure(1, "size", "missing", None),
        CellFailure(2, "outcome", "isin", "?"),
    ]


def test_rows_that_pass_every_rule_give_no_failures() -> None:
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    failures = find_failures(pd.DataFrame({"size": [1], "outcome": ["no"]}), schema)
    assert (len(failures.cells), list(failures.cells.columns)) == (0, ["row", "column", "rule", "value"])
    assert failures.columns == ()


def test_target_is_not_checked_on_request() -> None:
    schema = Schema("made", (Column("size", "integer", "Int64"),), TARGET)
    assert list_failures(pd.DataFrame({"size": [1], "outcome": ["?"]}), schema, with_target=False) == []


def test_key_with_a_missing_part_is_not_a_duplicate() -> None:
    columns = (Column("a", "integer", "Int64", nullable=True), Column("b", "text", "string", nullable=True))
    frame = pd.DataFrame(
        {"a": pd.array([1, 1, None, None], dtype="Int64"), "b": ["x", "x", "y", "y"], "outcome": "no"},
    )
    failures = list_failures(frame, Schema("made", columns, TARGET, unique=("a", "b")))
    assert {(failure.row, failure.rule) for failure in failures} == {(0, "unique_together"), (1, "unique_together")}


def test_rule_that_raises_is_listed_first() -> None:
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"str_matches": "a", "le": 5}),), TARGET)
    first, second = list_failures(pd.DataFrame({"size": [9], "outcome": ["no"]}), schema)
    assert (first.row, first.column, first.rule) == (0, "size", "str_matches")
    assert second == CellFailure(0, "size", "le", "9")
