"""The reader of each format with types of its own: one table for the graph, the drafts, checks and scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pipeline.config.file_formats import file_format
from pipeline.config.groups.data_config import DuckdbSource, ExcelSource, FileSource, SqliteSource
from pipeline.data.formats.arrow_files import open_arrow, open_parquet
from pipeline.data.formats.database_files import open_duckdb, open_sqlite
from pipeline.data.formats.excel_file import open_excel
from pipeline.data.formats.json_file import open_json
from pipeline.lookup import LookupTable

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.file_formats import FileKind
    from pipeline.config.groups.section import Section
    from pipeline.data.formats.typed_file import TypedFile

__all__ = ["TYPED_READERS", "is_csv", "open_typed_file"]


class TypedReader(Protocol):
    """Opens a file of one format; the keys of `source` count where it declares this format."""

    def __call__(self, path: Path, source: Section | None) -> TypedFile: ...


TYPED_READERS: LookupTable[TypedReader] = LookupTable("data.source.kind")


def open_typed_file(path: Path, source: Section | None = None) -> TypedFile | None:
    """Open a file in the format of its name; None for CSV text, which the strict reader reads.

    Parameters
    ----------
    path : Path
    source : Section, optional
        The declared source. A file below another name than the declared one is read with its keys as well, if it has
        its format.

    Raises
    ------
    DataError
        When the file cannot be read.
    DependencyUnavailable
        When the reader is an extra that is not installed.
    """
    return None if is_csv(path, source) else TYPED_READERS[_format_kind(path, source)](path, source)


def is_csv(path: Path, source: Section | None = None) -> bool:
    """Return whether a file is CSV text: by its name, else by the declared source of files."""
    return _format_kind(path, source) == "csv"


def _format_kind(path: Path, source: Section | None) -> FileKind:
    if (found := file_format(path.name)) is not None:
        return found.kind
    return source.kind if isinstance(source, FileSource) else "csv"


@TYPED_READERS.add("json")
def _open_json(path: Path, source: Section | None) -> TypedFile:  # noqa: ARG001 - has no keys
    return open_json(path)


@TYPED_READERS.add("parquet")
def _open_parquet(path: Path, source: Section | None) -> TypedFile:  # noqa: ARG001 - has no keys
    return open_parquet(path)


@TYPED_READERS.add("arrow")
def _open_arrow(path: Path, source: Section | None) -> TypedFile:  # noqa: ARG001 - has no keys
    return open_arrow(path)


@TYPED_READERS.add("excel")
def _open_excel(path: Path, source: Section | None) -> TypedFile:
    if isinstance(source, ExcelSource):
        return open_excel(path, sheet=source.sheet, skip_lines=source.skip_lines)
    return open_excel(path)


@TYPED_READERS.add("sqlite")
def _open_sqlite(path: Path, source: Section | None) -> TypedFile:
    return open_sqlite(path, table=source.table if isinstance(source, SqliteSource) else None)


@TYPED_READERS.add("duckdb")
def _open_duckdb(path: Path, source: Section | None) -> TypedFile:
    return open_duckdb(path, table=source.table if isinstance(source, DuckdbSource) else None)
