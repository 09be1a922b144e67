"""The formats of files of rows: which kind of source reads a file follows from the end of its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

__all__ = ["COMPRESSION_SUFFIXES", "FORMAT_SUFFIXES", "ROW_SUFFIXES", "FileFormat", "FileKind", "file_format"]

FileKind = Literal["csv", "json", "parquet", "arrow", "excel", "sqlite", "duckdb"]

FORMAT_SUFFIXES: dict[FileKind, tuple[str, ...]] = {
    "csv": (".csv", ".tsv", ".tab", ".txt"),
    "json": (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet",),
    "arrow": (".arrow", ".feather"),
    "excel": (".xlsx", ".xlsm", ".xls"),
    "sqlite": (".sqlite", ".sqlite3", ".db"),
    "duckdb": (".duckdb",),
}
# Of text; the other formats compress by themselves.
COMPRESSION_SUFFIXES = (".gz", ".zst", ".bz2", ".xz", ".zip")
_COMPRESSIBLE: tuple[FileKind, ...] = ("csv", "json")
ROW_SUFFIXES = tuple(suffix for suffixes in FORMAT_SUFFIXES.values() for suffix in suffixes)
_KIND_BY_SUFFIX = {suffix: kind for kind, suffixes in FORMAT_SUFFIXES.items() for suffix in suffixes}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """The format of a file: the kind of source that reads it, its suffix, and the suffix of its compression."""

    kind: FileKind
    suffix: str
    compression: str | None = None


def file_format(name: str) -> FileFormat | None:
    """Return the format of a file by its name; None where no source reads it.

    Examples
    --------
    >>> file_format("sales.CSV.gz"), file_format("notes.doc")
    (FileFormat(kind='csv', suffix='.csv', compression='.gz'), None)
    """
    path = PurePosixPath(name.lower())
    compression = path.suffix if path.suffix in COMPRESSION_SUFFIXES else None
    suffix = path.suffix if compression is None else PurePosixPath(path.stem).suffix
    kind = _KIND_BY_SUFFIX.get(suffix)
    if kind is None or (compression is not None and kind not in _COMPRESSIBLE):
        return None
    return FileFormat(kind, suffix, compression)
