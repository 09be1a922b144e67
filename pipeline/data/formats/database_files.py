"""Read a table or view of a SQLite or DuckDB file: read-only, and without access to any other file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa

from pipeline.data.formats.optional_readers import import_reader
from pipeline.data.formats.python_columns import build_column
from pipeline.data.formats.typed_file import TypedFile, flatten_table, nested_columns
from pipeline.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["open_duckdb", "open_sqlite"]

_BATCH_ROWS = 20_000
_SQLITE_TABLES = (
    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)
_SQLITE_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
_SQLITE_HEADER_BYTES = 100
_SQLITE_LARGE_PAGE = 65_536
_DUCKDB_TABLES = (
    "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
    " UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
)
# No other file, no network, no code that is loaded later, and no statement that lifts this again.
_DUCKDB_LOCKED = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "lock_configuration": "true",
    "memory_limit": "2GB",
}


def open_sqlite(path: Path, *, table: str | None = None) -> TypedFile:
    """Open a table or view of a SQLite file, in the order in which it holds its rows.

    A column may mix kinds: it becomes one of texts then. A column with bytes is set aside.

    Parameters
    ----------
    path : Path
    table : str, optional
        Name of a table or view; by default the only one.

    Raises
    ------
    DataError
        When the file is damaged or lacks the table.
    """
    try:
        with closing(_connect_sqlite(path)) as connection:
            name = _choose_table([row[0] for row in connection.execute(_SQLITE_TABLES)], table, path)
            names = [item[0] for item in connection.execute(_select("*", name, "LIMIT 0")).description]
            has_bytes = [f"max(typeof({_quoted(column)}) = 'blob')" for column in names]
            n_rows, *flags = connection.execute(_select(", ".join(["count(*)", *has_bytes]), name)).fetchone()
            set_aside = {column: "bytes" for column, flag in zip(names, flags, strict=True) if flag}
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _unreadable(path, "SQLite", error) from error

    def read(wanted: Sequence[str]) -> Iterator[pa.Table]:
        query = _select(", ".join(map(_quoted, wanted)), name)
        try:
            with closing(_connect_sqlite(path)) as connection:
                cursor = connection.execute(query)
                while rows := cursor.fetchmany(_BATCH_ROWS):
                    columns = zip(*rows, strict=True)
                    yield pa.table({key: build_column(values) for key, values in zip(wanted, columns, strict=True)})
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _unreadable(path, "SQLite", error) from error

    plain = tuple(column for column in names if column not in set_aside)
    return TypedFile(plain, set_aside, n_rows, read, holds_cells=True)


def open_duckdb(path: Path, *, table: str | None = None) -> TypedFile:
    """Open a table or view of a DuckDB file; parameters and errors are those of `open_sqlite`.

    Raises
    ------
    DependencyUnavailable
        When the reader is not installed.
    """
    duckdb = import_reader("duckdb", extra="duckdb", needed_by=str(path))

    try:
        with closing(_connect_duckdb(duckdb, path)) as connection:
            name = _choose_table([row[0] for row in connection.sql(_DUCKDB_TABLES).fetchall()], table, path)
            schema = connection.sql(_select("*", name, "LIMIT 0")).to_arrow_table().schema
            ((n_rows,),) = connection.sql(_select("count(*)", name)).fetchall()
    except duckdb.Error as error:
        raise _unreadable(path, "DuckDB", error) from error
    set_aside = nested_columns(schema, where=str(path))

    def read(wanted: Sequence[str]) -> Iterator[pa.Table]:
        query = _select(", ".join(map(_quoted, wanted)), name)
        try:
            with closing(_connect_duckdb(duckdb, path)) as connection:
                for batch in connection.sql(query).to_arrow_reader(_BATCH_ROWS):
                    yield flatten_table(pa.Table.from_batches([batch]))
        except duckdb.Error as error:
            raise _unreadable(path, "DuckDB", error) from error

    return TypedFile(tuple(item for item in schema.names if item not in set_aside), set_aside, n_rows, read)


def _connect_duckdb(duckdb: Any, path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return duckdb.connect(str(path), read_only=True, config=_DUCKDB_LOCKED)


def _connect_sqlite(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    _check_size(path)
    # Immutable: no lock and no journal beside the file, which data/external/ would not accept.
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in _SQLITE_ALLOWED else sqlite3.SQLITE_DENY
    )
    return connection


def _check_size(path: Path) -> None:
    """Refuse a file that ends before its last page: SQLite reads the missing part of a page as empty cells."""
    with path.open("rb") as stream:
        header = stream.read(_SQLITE_HEADER_BYTES)
    if len(header) < _SQLITE_HEADER_BYTES or header[24:28] != header[92:96]:
        return  # SQLite itself refuses it, or the file does not record its length
    page_bytes = int.from_bytes(header[16:18], "big")
    n_bytes = int.from_bytes(header[28:32], "big") * (_SQLITE_LARGE_PAGE if page_bytes == 1 else page_bytes)
    if path.stat().st_size < n_bytes:
        raise DataError(f"{path}: ends early: it has {path.stat().st_size:,} of {n_bytes:,} bytes; get the file again")


def _choose_table(known: list[str], table: str | None, path: Path) -> str:
    if table is None and len(known) == 1:
        return known[0]
    if table is None or table not in known:
        problem = f"has {len(known)} tables" if table is None else f"has no table {table!r}"
        hint = "" if table is None else did_you_mean(table, known)
        if not known:
            raise DataError(f"{path}: has no tables; expected the rows in one")
        listed = ", ".join(sorted(known)[:20])
        raise DataError(
            f"{path}: {problem}; there are: {listed}{hint}. Name the one to read: `mlops data init ... --table NAME`,"
            " data.source.table"
        )
    return table


def _select(what: str, table: str, rest: str = "") -> str:
    return f"SELECT {what} FROM {_quoted(table)} {rest}"  # noqa: S608 # nosec B608 - every name is quoted


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _unreadable(path: Path, kind: str, error: Exception) -> DataError:
    return DataError(f"{path}: is no readable {kind} file: {' '.join(str(error).split())[:200]}; get the file again")
