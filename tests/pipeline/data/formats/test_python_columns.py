import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from pipeline.data.formats.python_columns import build_column, join_columns

DAY, MOMENT = dt.date(2026, 1, 2), dt.datetime.fromisoformat("2026-01-01T09:30:00")


@pytest.mark.parametrize(
    ("values", "arrow_type", "expected"),
    [
        ([1, None], pa.int64(), [1, None]),
        ([1.0, 2], pa.int64(), [1, 2]),
        ([1.5, 2], pa.float64(), [1.5, 2.0]),
        ([2**63, 1], pa.string(), ["9223372036854775808", "1"]),
        ([2**53 + 1, 0.5], pa.string(), ["9007199254740993", "0.5"]),
        ([True, None], pa.bool_(), [True, None]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["a", None], pa.string(), ["a", None]),
        (["a", 1.0, 0.1], pa.string(), ["a", "1", "0.1"]),
        ([None], pa.null(), [None]),
        ([DAY, MOMENT], pa.timestamp("us"), [dt.datetime.combine(DAY, dt.time()), MOMENT]),
        ([MOMENT, MOMENT.replace(tzinfo=dt.UTC)], pa.string(), ["2026-01-01T09:30:00", "2026-01-01T09:30:00+00:00"]),
        ([dt.timedelta(minutes=1)], pa.float64(), [60.0]),
        ([dt.time(9, 30)], pa.string(), ["09:30:00"]),
        ([float("inf")], pa.float64(), [float("inf")]),
    ],
)
def test_the_narrowest_type_holds_each_value(values: list[Any], arrow_type: pa.DataType, expected: list[Any]) -> None:
    column = build_column(values)
    assert (column.type, column.to_pylist()) == (arrow_type, expected)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([[1], [2]], [1, 2]),
        ([[1], [0.5]], [1.0, 0.5]),
        ([[1], ["a"]], ["1", "a"]),
        ([[2**60], [0.5]], [str(2**60), "0.5"]),
        ([[None], [True]], [None, True]),
        ([[MOMENT], ["soon"]], ["2026-01-01T09:30:00", "soon"]),
    ],
)
def test_parts_of_several_types_become_one_column(parts: list[list[Any]], expected: list[Any]) -> None:
    columns = [pa.chunked_array([build_column(part)]) for part in parts]
    assert join_columns(columns).to_pylist() == expected


def test_no_part_is_a_column_without_values() -> None:
    assert len(join_columns([])) == 0
