"""Update the row of a table that has the given keys, or insert it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, update

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Table

__all__ = ["put_row"]


def put_row(
    connection: Connection,
    table: Table,
    values: Mapping[str, Any],
    *,
    keys: tuple[str, ...],
    sums: tuple[str, ...] = (),
) -> None:
    """Replace the values of a row, or insert it; the caller's transaction is the only writer.

    Values of the columns `sums` are added to those of an existing row.
    """
    changes = {name: table.c[name] + value if name in sums else value for name, value in values.items()}
    is_row = [table.c[name] == values[name] for name in keys]
    if connection.execute(update(table).where(*is_row).values(**changes)).rowcount == 0:
        connection.execute(insert(table).values(**values))
