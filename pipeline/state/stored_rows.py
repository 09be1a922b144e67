"""Notice a table that accepts a change and does not make it: a trigger, a rule or a view can discard it silently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from pipeline.errors import DependencyUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["require_removed", "require_stored", "watch_inserts"]


def require_stored(table: str, n_stored: int, *, n_rows: int) -> None:
    """Raise unless a table has all `n_rows` of the current transaction.

    Raises
    ------
    DependencyUnavailable
        Naming the table; the caller rolls its transaction back.
    """
    if n_stored != n_rows:
        raise DependencyUnavailable(
            f"the table {table} of the state database keeps {n_stored} of {n_rows} written rows;"
            " remove the trigger, rule or view that discards them"
        )


def require_removed(table: str, n_left: int) -> None:
    """Raise if a table still has rows that the current transaction removed.

    Raises
    ------
    DependencyUnavailable
        Naming the table; the caller rolls its transaction back.
    """
    if n_left:
        raise DependencyUnavailable(
            f"the table {table} of the state database keeps {n_left} removed rows;"
            " remove the trigger, rule or view that ignores the removal"
        )


def watch_inserts(engine: Engine) -> None:
    """Require that each INSERT of a table stores all its rows."""
    event.listen(engine, "after_cursor_execute", _require_inserted)


def _require_inserted(
    _connection: object,
    cursor: Any,
    _statement: str,
    parameters: Any,
    context: Any,
    is_many: bool,  # noqa: FBT001
) -> None:
    if context is None or not context.isinsert or context.compiled is None or context.compiled.effective_returning:
        return  # rows that are returned are counted when they are read
    table = context.compiled.statement.table.name
    require_stored(table, cursor.rowcount, n_rows=len(parameters) if is_many else 1)
