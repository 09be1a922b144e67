"""Logged features become columns of their declared types, or are refused in words."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline.data.logged_features import logged_features
from pipeline.errors import DataError
from pipeline.schema import Column

NUMBER, DAY = Column("number", "integer", "Int64"), Column("day", "datetime", "datetime64[us]")


def test_values_get_the_declared_types_and_an_absent_one_is_null() -> None:
    records = [{"number": 4, "day": "2026-01-31T12:00:00"}, {"number": 4.0}, {}]
    table = logged_features(records, [NUMBER, DAY], private_notes={}, advice="")
    assert table.schema == pa.schema({"number": pa.int64(), "day": pa.timestamp("us")})
    assert table.column("number").to_pylist() == [4, 4, None]
    assert [str(value) for value in table.column("day").to_pylist()] == ["2026-01-31 12:00:00", "None", "None"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((4, "four"), "prediction log: number: holds values of several types, and Int64 is declared; leave them out"),
        (("four",), "number: .*four"),
    ],
)
def test_values_of_another_type_are_refused(values: tuple[object, ...], message: str) -> None:
    records = [{"number": value} for value in values]
    with pytest.raises(DataError, match=message):
        logged_features(records, [NUMBER], private_notes={}, advice="leave them out")
