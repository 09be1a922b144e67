"""What a new declaration changes is named, and whether callers break by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.gates import compare_schemas
from pipeline.schema import Column, Schema, Target

SIZE = Column("size", "float", "Float64", nullable=True, minimum=0.0, maximum=10.0)
COLOR = Column("colour", "category", "category", categories=("blue", "red"))
TARGET = Target("answer", ("no", "yes"), "yes")
OLD = Schema("small", (SIZE, COLOR), TARGET)


def changed(*columns: Column, target: Target = TARGET) -> list[tuple[str, bool]]:
    return [(str(change), change.is_breaking) for change in compare_schemas(OLD, Schema("small", columns, target))]


def test_equal_declarations_have_no_change() -> None:
    assert changed(SIZE, COLOR) == []


@pytest.mark.parametrize(
    ("columns", "description", "breaks"),
    [
        ((SIZE,), "colour was removed", True),
        ((SIZE, COLOR, Column("new", "float", "Float64")), "new was added and is required", True),
        ((SIZE, COLOR, Column("new", "float", "Float64", nullable=True)), "new was added", False),
        ((replace(SIZE, nullable=False), COLOR), "size may not be missing now", True),
        ((SIZE, replace(COLOR, nullable=True)), "colour may be missing now", False),
        ((SIZE, replace(COLOR, categories=("blue",))), "colour lost the categories red", True),
        ((SIZE, replace(COLOR, categories=("blue", "green", "red"))), "colour gained the categories green", False),
        ((replace(SIZE, maximum=5.0), COLOR), "size accepts 0 to 5 instead of 0 to 10", True),
        ((replace(SIZE, minimum=-5.0), COLOR), "size accepts -5 to 10 instead of 0 to 10", False),
        ((replace(SIZE, maximum=None), COLOR), "size accepts 0 to anything instead of 0 to 10", False),
        ((replace(SIZE, kind="integer", dtype="Int64"), COLOR), "size is integer instead of float", True),
    ],
)
def test_a_change_is_named(columns: tuple[Column, ...], description: str, breaks: bool) -> None:
    assert changed(*columns) == [(description, breaks)]


def test_other_classes_break_callers() -> None:
    ((description, breaks),) = changed(SIZE, COLOR, target=Target("answer", ("no", "perhaps", "yes"), None))
    assert (description, breaks) == ("answer has the classes no, perhaps, yes instead of no, yes", True)


def test_a_caller_breaks_where_another_word_is_refused_and_not_where_it_is_accepted() -> None:
    open_color = replace(COLOR, unseen="other")
    assert changed(SIZE, open_color) == [("colour accepts any word now", False)]
    before = Schema("small", (SIZE, open_color), TARGET)
    (change,) = compare_schemas(before, OLD)
    assert (str(change), change.is_breaking) == ("colour refuses unseen words now", True)
    (change,) = compare_schemas(before, replace(before, columns=(SIZE, replace(open_color, categories=("blue",)))))
    assert (str(change), change.is_breaking) == ("colour lost the categories red", False)
