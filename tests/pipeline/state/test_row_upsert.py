"""A row is inserted once and replaced afterwards; sums grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from pipeline.state.row_upsert import put_row
from pipeline.state.tables import counters

if TYPE_CHECKING:
    from pipeline.state import State


def test_the_second_row_of_a_key_replaces_the_first(state: State) -> None:
    with state.writing() as connection:
        for name, value in (("a", 1), ("b", 5), ("a", 2)):
            put_row(connection, counters, {"name": name, "value": value}, keys=("name",))
        put_row(connection, counters, {"name": "b", "value": 4}, keys=("name",), sums=("value",))
        rows = connection.execute(select(counters).where(counters.c.name.in_(["a", "b"])).order_by(counters.c.name))
        assert [tuple(row) for row in rows] == [("a", 2), ("b", 9)]
