"""Copy a state database into an empty one, SQLite or PostgreSQL, and verify that every row is equal."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, exc, func, literal, select

from pipeline.errors import Conflict, DataError, DependencyUnavailable, IntegrityError
from pipeline.state.audit_trail import AuditEvent, append_audit_entry
from pipeline.state.partitions import add_partitions
from pipeline.state.rollup_counts import DAY_US
from pipeline.state.schema_migration import ensure_schema, schema_revision
from pipeline.state.tables import METADATA, counters, predictions
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Dialect, Table

    from pipeline.state.database import State

    ProgressCallback = Callable[[str, str, int, int], None]
    RowValues = tuple[Any, ...]

__all__ = ["CopiedTable", "copy_state"]

_ROWS_PER_FETCH = 2_000
_ROWS_PER_INSERT = 100
# The errors of a database for a value that it cannot store.
_REJECTED_VALUE_ERRORS = (exc.DataError, exc.IntegrityError, exc.ProgrammingError)


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table that is equal in source and target; `sha256` is the digest of its rows in key order."""

    name: str
    n_rows: int
    sha256: str


def copy_state(
    source: State, target: State, *, actor: str, partition_days: int, on_progress: ProgressCallback
) -> list[CopiedTable]:
    """Copy every row in one transaction: the target has all of them, compared with the source, or none.

    Parameters
    ----------
    source : State
        Read as of one moment; its tables are those of this program.
    target : State
        A database without rows; it gets its tables, and one more audit entry about the copy.
    actor : str
        Who copies, for the audit trail.
    partition_days : int
        How long each partition of the target's log is to be, where it has partitions.
    on_progress : callable
        Called with the step (`copied` or `compared`), the name of a table, its rows so far and in total.

    Raises
    ------
    Conflict
        When the target has rows, either has tables of another form, or the source was written to meanwhile.
    DataError
        When the target cannot hold a value of the source; the row is named.
    IntegrityError
        When what was read back differs.
    DependencyUnavailable
        When the source has no tables, or one of the two is unavailable.
    """
    if not _has_schema(source):
        raise DependencyUnavailable(f"{source.address}: the database is empty; there is nothing to copy")
    ensure_schema(source)
    ensure_schema(target)
    with source.reading() as old, target.writing() as new:
        _require_empty(new, target)
        if not target.is_file:
            add_partitions(new, _partition_starts(old, partition_days), days=partition_days)
        copied = [_copy_table(table, old, new, on_progress) for table in METADATA.sorted_tables]
        for copied_table in copied:
            _verify_table(copied_table, new, on_progress)
        _require_unchanged(source, old)
        evidence = {"from": source.address, "tables": [asdict(copied_table) for copied_table in copied]}
        append_audit_entry(new, AuditEvent(actor, "copy state", target.clock(), evidence=evidence), model="")
    return copied


def _has_schema(source: State) -> bool:
    """Whether the source has tables; a missing SQLite file is not opened, because opening would create it."""
    if source.is_file and not Path(str(source.engine.url.database)).exists():
        return False
    return schema_revision(source).current is not None


def _require_empty(new: Connection, target: State) -> None:
    full = [table.name for table in METADATA.sorted_tables if _has_rows(new, table)]
    if full:
        raise Conflict(
            f"{target.address}: has rows already, in {', '.join(full)}; nothing was changed."
            " Name an empty database: rows of two are not mixed"
        )


def _has_rows(connection: Connection, table: Table) -> bool:
    return connection.execute(select(literal(1)).select_from(table).limit(1)).first() is not None


def _require_unchanged(source: State, old: Connection) -> None:
    query = select(counters.c.name, counters.c.value).order_by(counters.c.name)
    with source.reading() as later:
        if later.execute(query).all() != old.execute(query).all():
            raise Conflict(
                f"{source.address}: another program wrote to it during the copy, so the copy would lack rows;"
                " nothing was copied. Stop the servers and whatever else writes, then copy again"
            )


def _partition_starts(old: Connection, days: int) -> list[int]:
    """Return the starts of the partitions that contain the rows of the log."""
    length = days * DAY_US
    return [
        int(position) * length
        for position in old.execute(select(predictions.c.predicted_at // length).distinct()).scalars()
    ]


def _copy_table(table: Table, old: Connection, new: Connection, on_progress: ProgressCallback) -> CopiedTable:
    n_all, n_done, digest = _count_rows(old, table), 0, hashlib.sha256()
    for rows in _iter_row_chunks(old, table):
        _insert_rows(table, rows, new)
        n_done += len(rows)
        _update_digest(digest, rows)
        on_progress("copied", table.name, n_done, n_all)
    return CopiedTable(table.name, n_done, digest.hexdigest())


def _verify_table(copied: CopiedTable, new: Connection, on_progress: ProgressCallback) -> None:
    table, n_done, digest = METADATA.tables[copied.name], 0, hashlib.sha256()
    for rows in _iter_row_chunks(new, table):
        n_done += len(rows)
        _update_digest(digest, rows)
        on_progress("compared", table.name, n_done, copied.n_rows)
    if (n_done, digest.hexdigest()) != (copied.n_rows, copied.sha256):
        raise IntegrityError(
            f"{copied.name}: {pluralize(copied.n_rows, 'row')} with SHA-256 {copied.sha256[:12]} were copied and"
            f" {pluralize(n_done, 'row')} with {digest.hexdigest()[:12]} were read back; nothing was copied"
        )


def _count_rows(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar() or 0)


def _iter_row_chunks(connection: Connection, table: Table) -> Iterator[list[RowValues]]:
    """Yield all rows in the byte order of their key, which is the same on SQLite and PostgreSQL."""
    is_file = connection.dialect.name == "sqlite"
    keys = [
        column if is_file or not isinstance(column.type, String) else column.collate("C")
        for column in table.primary_key.columns
    ]
    result = connection.execute(select(table).order_by(*keys), execution_options={"yield_per": _ROWS_PER_FETCH})
    for part in result.partitions():
        yield [tuple(row) for row in part]


def _update_digest(digest: Any, rows: list[RowValues]) -> None:
    """Add the `repr` of rows to a digest; the `repr` of a float is exact."""
    for row in rows:
        digest.update(repr(row).encode())


def _insert_rows(table: Table, rows: list[RowValues], new: Connection) -> None:
    try:
        with new.begin_nested():
            for at in range(0, len(rows), _ROWS_PER_INSERT):
                part = rows[at : at + _ROWS_PER_INSERT]
                new.exec_driver_sql(_insert_sql(table, len(part), new.dialect), tuple(chain.from_iterable(part)))
    except _REJECTED_VALUE_ERRORS:
        for row in rows:
            _insert_row(table, row, new)
        raise


def _insert_row(table: Table, row: RowValues, new: Connection) -> None:
    try:
        with new.begin_nested():
            new.exec_driver_sql(_insert_sql(table, 1, new.dialect), row)
    except _REJECTED_VALUE_ERRORS as error:
        values = dict(zip(table.columns.keys(), row, strict=True))
        key = ", ".join(f"{column.name} {values[column.name]!r}" for column in table.primary_key.columns)
        reason = str(error.orig).strip().partition("\n")[0]
        raise DataError(
            f"table {table.name}, row with {key}: the target cannot hold it ({reason}); nothing was copied."
            " Correct or remove the row in the source, then copy again"
        ) from error


@cache
def _insert_sql(table: Table, n_rows: int, dialect: Dialect) -> str:
    """Return one that adds rows; it is plain text, since to build it anew for each part costs more than to run it."""
    names = ", ".join(dialect.identifier_preparer.quote(column.name) for column in table.columns)
    mark = "?" if dialect.name == "sqlite" else "%s"
    row = f"({', '.join([mark] * len(table.columns))})"
    values = ", ".join([row] * n_rows)
    return f"INSERT INTO {table.name} ({names}) VALUES {values}"  # noqa: S608 - internal names  # nosec B608
