from __future__ import annotations

import pandas as pd

from pipeline.schema import Column, Schema, Target
from pipeline.schema.failures import CellFailure, find_failures, list_failures

TARGET = Target("answer", ("no", "yes"), "yes")


def test_cells_are_listed_by_row_column_and_rule_whatever_the_index() -> None:
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    frame = pd.DataFrame({"size": pd.array([9, None, 1], dtype="Int64"), "answer": ["no", "yes", "?"]}, index=[7, 7, 7])
    assert list_failures(frame, schema) == [
        CellFailure(0, "size", "le", "9"),
        CellFailure(1, "size", "missing", None),
        CellFailure(2, "answer", "isin", "?"),
    ]


def test_rows_that_keep_every_rule_give_no_cells() -> None:
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    found = find_failures(pd.DataFrame({"size": [1], "answer": ["no"]}), schema)
    assert (len(found.cells), list(found.cells.columns)) == (0, ["row", "column", "rule", "value"])
    assert found.columns == ()


def test_the_target_is_left_alone_on_request() -> None:
    schema = Schema("made", (Column("size", "integer", "Int64"),), TARGET)
    assert list_failures(pd.DataFrame({"size": [1], "answer": ["?"]}), schema, with_target=False) == []


def test_a_key_with_a_missing_part_is_no_repeated_key() -> None:
    columns = (Column("a", "integer", "Int64", nullable=True), Column("b", "text", "string", nullable=True))
    frame = pd.DataFrame(
        {"a": pd.array([1, 1, None, None], dtype="Int64"), "b": ["x", "x", "y", "y"], "answer": "no"},
    )
    found = list_failures(frame, Schema("made", columns, TARGET, unique=("a", "b")))
    assert {(one.row, one.rule) for one in found} == {(0, "unique_together"), (1, "unique_together")}


def test_rule_that_raises_is_listed_first() -> None:
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"str_matches": "a", "le": 5}),), TARGET)
    first, second = list_failures(pd.DataFrame({"size": [9], "answer": ["no"]}), schema)
    assert (first.row, first.column, first.rule) == (0, "size", "str_matches")
    assert second == CellFailure(0, "size", "le", "9")
