"""Assign numbers without gaps: only a committed transaction uses one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from pipeline.state.tables import counters

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["next_number"]


def next_number(connection: Connection, name: str, *, n: int = 1) -> int:
    """Return the first of the next `n` numbers of a sequence; the caller's transaction is the only writer."""
    last = connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar()
    if last is None:
        connection.execute(insert(counters).values(name=name, value=n))
        return 1
    connection.execute(update(counters).where(counters.c.name == name).values(value=last + n))
    return int(last) + 1
