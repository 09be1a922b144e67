"""The reader of each format with types of its own: one table for the graph, the drafts, checks and scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.config.file_formats import file_format
from pipeline.data.formats.arrow_files import open_arrow, open_parquet
from pipeline.data.formats.database_files import open_duckdb, open_sqlite
from pipeline.data.formats.excel_file import open_excel
from pipeline.data.formats.json_file import open_json
from pipeline.lookup import LookupTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.data.formats.typed_file import TypedFile

__all__ = ["TYPED_READERS", "is_csv", "open_typed_file"]

_NO_KEYS: Mapping[str, Any] = {}


# Each opens a path; keywords are the keys of its kind of source besides `path`.
TYPED_READERS: LookupTable[Callable[..., TypedFile]] = LookupTable("data.source.kind")
TYPED_READERS.add("json")(open_json)
TYPED_READERS.add("parquet")(open_parquet)
TYPED_READERS.add("arrow")(open_arrow)
TYPED_READERS.add("excel")(open_excel)
TYPED_READERS.add("sqlite")(open_sqlite)
TYPED_READERS.add("duckdb")(open_duckdb)


def open_typed_file(path: Path, format_keys: Mapping[str, Any] = _NO_KEYS) -> TypedFile | None:
    """Open a file in the format of its name; None for CSV text, which the strict reader reads.

    Parameters
    ----------
    path : Path
    format_keys : mapping
        `kind` of the declared source and its keys besides `path`. They count for each file of this format, whatever
        its name.

    Raises
    ------
    DataError
        When the file cannot be read.
    DependencyUnavailable
        When the reader is an extra that is not installed.
    """
    kind = _format_kind(path, format_keys)
    if kind == "csv":
        return None
    keys = {key: value for key, value in format_keys.items() if key != "kind"}
    return TYPED_READERS[kind](path, **(keys if format_keys.get("kind") == kind else {}))


def is_csv(path: Path, format_keys: Mapping[str, Any] = _NO_KEYS) -> bool:
    """Return whether a file is CSV text: by its name, else by the declared source of files."""
    return _format_kind(path, format_keys) == "csv"


def _format_kind(path: Path, format_keys: Mapping[str, Any]) -> str:
    found = file_format(path.name)
    return found.kind if found is not None else format_keys.get("kind", "csv")
