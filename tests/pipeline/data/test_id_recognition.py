"""Ids are keys by name, numbers of rows, ascending integers in front, and random codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from pipeline.data.id_recognition import id_reason

if TYPE_CHECKING:
    from pipeline.schema import ColumnKind

ASCENDING = [number * 3 for number in range(30)]


@pytest.mark.parametrize(
    ("name", "kind", "values", "is_first", "reason"),
    [
        ("id", "integer", [5, 3, 9], False, "name is that of a key"),
        ("customer_id", "text", ["C1", "C2", "C3"], False, "each value is unique"),
        ("userId", "text", ["a", "b", "c"], False, "each value is unique"),
        ("customer_id", "integer", [number // 2 for number in range(60)], False, "30 numbers occur in 60 rows"),
        ("rownames", "integer", ASCENDING, False, "name is that of a key"),
        ("row", "integer", range(100, 130), False, "without gaps"),
        ("row", "integer", list(range(130, 100, -1)), False, "without gaps"),
        ("seqn", "integer", ASCENDING, False, "ascending whole numbers in a column of this name"),
        ("anything", "integer", ASCENDING, True, "in the first column, each once; role: feature"),
        ("code", "text", [f"X{number}" for number in range(60)], True, "in the first column"),
        ("hash", "text", [f"{number:032x}" for number in range(60)], False, "random codes"),
    ],
)
def test_a_column_that_identifies_rows_has_a_reason(
    name: str, kind: ColumnKind, values: Any, is_first: bool, reason: str
) -> None:
    assert reason in str(id_reason(name, kind, pa.array(values), is_first=is_first))


@pytest.mark.parametrize(
    ("name", "kind", "values", "is_first"),
    [
        ("price", "integer", ASCENDING, False),
        ("age", "integer", [number % 7 for number in range(30)], True),
        ("paid", "integer", [5, 3, 9], False),
        ("store_id", "integer", [number % 5 for number in range(60)], False),
        ("id", "integer", [5, 5, 9], False),
        ("score", "float", [float(number) for number in range(30)], True),
        ("title", "text", [f"a title {number}" for number in range(30)], True),
        ("code", "text", [f"X{number}" for number in range(60)], False),
        ("id", "integer", [], True),
    ],
)
def test_a_measure_is_no_id(name: str, kind: ColumnKind, values: Any, is_first: bool) -> None:
    arrow_type = {"integer": pa.int64(), "float": pa.float64()}.get(kind, pa.string())
    assert id_reason(name, kind, pa.array(values, arrow_type), is_first=is_first) is None
