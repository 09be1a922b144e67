"""Copy a whole state database into an empty one of either kind, and prove that every row arrived as it was."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, exc, func, literal, select

from pipeline.errors import Conflict, DataError, DependencyUnavailable, IntegrityError
from pipeline.state.audit import Act, append
from pipeline.state.migration import prepare, revision
from pipeline.state.partitions import add_partitions
from pipeline.state.rollup_rows import DAY_US
from pipeline.state.tables import METADATA, counters, predictions
from pipeline.words import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Dialect, Table

    from pipeline.state.database import State

    Told = Callable[[str, str, int, int], None]
    Values = tuple[Any, ...]

__all__ = ["CopiedTable", "copy_state"]

_AT_ONCE = 2_000
_IN_A_STATEMENT = 100
# What a database says of a value that it cannot hold.
_UNFIT = (exc.DataError, exc.IntegrityError, exc.ProgrammingError)


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table that is the same on both sides; `sha256` is that of its rows in the order of their key."""

    name: str
    n_rows: int
    sha256: str


def copy_state(source: State, target: State, *, actor: str, partition_days: int, told: Told) -> list[CopiedTable]:
    """Copy every row in one transaction: the target has all of them, compared with the source, or none.

    Parameters
    ----------
    source : State
        Read as of one moment; its tables are those of this program.
    target : State
        A database without rows; it gets its tables, and one more audit entry that tells of the copy.
    actor : str
        Who copies, for the audit trail.
    partition_days : int
        How long each partition of the target's log is to be, where it has partitions.
    told : callable
        Called with what is done (`copied` or `compared`), the name of a table, its rows so far and in all.

    Raises
    ------
    Conflict
        When the target has rows, either has tables of another form, or the source was written to meanwhile.
    DataError
        When the target cannot hold a value of the source; the row is named.
    IntegrityError
        When what was read back differs.
    DependencyUnavailable
        When the source has no tables, or one of the two cannot be had.
    """
    if not _is_there(source):
        raise DependencyUnavailable(f"{source.address}: has no tables of ours; there is nothing to copy")
    prepare(source)
    prepare(target)
    with source.reading() as old, target.writing() as new:
        _refuse_rows(new, target)
        if not target.is_file:
            add_partitions(new, _moments(old, partition_days), days=partition_days)
        copied = [_copy(table, old, new, told) for table in METADATA.sorted_tables]
        for one in copied:
            _compare(one, new, told)
        _refuse_growth(source, old)
        evidence = {"from": source.address, "tables": [asdict(one) for one in copied]}
        append(new, Act(actor, "copy state", target.clock(), evidence=evidence), model="")
    return copied


def _is_there(source: State) -> bool:
    """Whether there is anything to copy; to ask an SQLite file that is not there would make it."""
    if source.is_file and not Path(str(source.engine.url.database)).exists():
        return False
    return revision(source).found is not None


def _refuse_rows(new: Connection, target: State) -> None:
    full = [table.name for table in METADATA.sorted_tables if _has_rows(new, table)]
    if full:
        raise Conflict(
            f"{target.address}: has rows already, in {', '.join(full)}; nothing was changed."
            " Name an empty database: rows of two are not mixed"
        )


def _has_rows(connection: Connection, table: Table) -> bool:
    return connection.execute(select(literal(1)).select_from(table).limit(1)).first() is not None


def _refuse_growth(source: State, old: Connection) -> None:
    query = select(counters.c.name, counters.c.value).order_by(counters.c.name)
    with source.reading() as later:
        if later.execute(query).all() != old.execute(query).all():
            raise Conflict(
                f"{source.address}: was written to while it was copied, so the copy would lack rows; nothing was kept."
                " Stop the servers and whatever else writes, then copy again"
            )


def _moments(old: Connection, days: int) -> list[int]:
    """Return where the partitions begin that hold the log."""
    length = days * DAY_US
    return [int(one) * length for one in old.execute(select(predictions.c.at // length).distinct()).scalars()]


def _copy(table: Table, old: Connection, new: Connection, told: Told) -> CopiedTable:
    n_all, n_done, digest = _n_rows(old, table), 0, hashlib.sha256()
    for rows in _rows(old, table):
        _insert(table, rows, new)
        n_done += len(rows)
        _add(digest, rows)
        told("copied", table.name, n_done, n_all)
    return CopiedTable(table.name, n_done, digest.hexdigest())


def _compare(copied: CopiedTable, new: Connection, told: Told) -> None:
    table, n_done, digest = METADATA.tables[copied.name], 0, hashlib.sha256()
    for rows in _rows(new, table):
        n_done += len(rows)
        _add(digest, rows)
        told("compared", table.name, n_done, copied.n_rows)
    if (n_done, digest.hexdigest()) != (copied.n_rows, copied.sha256):
        raise IntegrityError(
            f"{copied.name}: {pluralize(copied.n_rows, 'row')} with SHA-256 {copied.sha256[:12]} were copied and"
            f" {pluralize(n_done, 'row')} with {digest.hexdigest()[:12]} were read back; nothing was kept"
        )


def _n_rows(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar() or 0)


def _rows(connection: Connection, table: Table) -> Iterator[list[Values]]:
    """Yield all rows in the order of their key, which is that of bytes on both kinds of database."""
    is_file = connection.dialect.name == "sqlite"
    keys = [
        one if is_file or not isinstance(one.type, String) else one.collate("C") for one in table.primary_key.columns
    ]
    found = connection.execute(select(table).order_by(*keys), execution_options={"yield_per": _AT_ONCE})
    for part in found.partitions():
        yield [tuple(row) for row in part]


def _add(digest: Any, rows: list[Values]) -> None:
    """Add rows by how Python writes their values: whole numbers, texts, bytes, and floats to the last bit."""
    for row in rows:
        digest.update(repr(row).encode())


def _insert(table: Table, rows: list[Values], new: Connection) -> None:
    try:
        with new.begin_nested():
            for at in range(0, len(rows), _IN_A_STATEMENT):
                part = rows[at : at + _IN_A_STATEMENT]
                new.exec_driver_sql(_statement(table, len(part), new.dialect), tuple(chain.from_iterable(part)))
    except _UNFIT:
        for one in rows:
            _insert_one(table, one, new)
        raise


def _insert_one(table: Table, row: Values, new: Connection) -> None:
    try:
        with new.begin_nested():
            new.exec_driver_sql(_statement(table, 1, new.dialect), row)
    except _UNFIT as error:
        values = dict(zip(table.columns.keys(), row, strict=True))
        key = ", ".join(f"{column.name} {values[column.name]!r}" for column in table.primary_key.columns)
        reason = str(error.orig).strip().partition("\n")[0]
        raise DataError(
            f"table {table.name}, row with {key}: the target cannot hold it ({reason}); nothing was copied."
            " Correct or remove the row in the source, then copy again"
        ) from error


@cache
def _statement(table: Table, n_rows: int, dialect: Dialect) -> str:
    """Return one that adds rows; it is plain text, since to build it anew for each part costs more than to run it."""
    names = ", ".join(dialect.identifier_preparer.quote(column.name) for column in table.columns)
    mark = "?" if dialect.name == "sqlite" else "%s"
    row = f"({', '.join([mark] * len(table.columns))})"
    return f"INSERT INTO {table.name} ({names}) VALUES {', '.join([row] * n_rows)}"  # noqa: S608 - names of ours  # nosec B608
