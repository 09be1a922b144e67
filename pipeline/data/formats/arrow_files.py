"""Read Parquet and Arrow files; memory is bounded by one row group or record batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.data.formats.typed_file import TypedFile, flatten_table, nested_columns
from pipeline.errors import DataError, UnreadableFile
from pipeline.files import iter_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.storage import StoragePath

__all__ = ["open_arrow", "open_parquet"]

_BATCH_ROWS = 65_536
_WORD_BATCH_ROWS = 131_072
_ARROW_FILE_START = b"ARROW1"
# Names that are not UTF-8 raise the last one.
_READ_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError)


def open_parquet(path: Path | StoragePath, *, groups: Sequence[int] | None = None) -> TypedFile:
    """Open a Parquet file, or only some of its row groups.

    Parameters
    ----------
    path : Path or StoragePath
    groups : sequence of int, optional
        Numbers of row groups; all when None.
    """
    source, is_remote = _parquet_source(path)
    try:
        file = pq.ParquetFile(source, pre_buffer=is_remote)
        set_aside = nested_columns(file.schema_arrow, where=str(path))
    except _READ_ERRORS as error:
        raise _unreadable(path, "Parquet", error) from error

    def read(names: Sequence[str]) -> Iterator[pa.Table]:
        try:
            for batch in iter_parquet(file, names, batch_rows=_BATCH_ROWS, groups=groups):
                batch.validate(full=True)
                yield flatten_table(pa.Table.from_batches([batch]).select(names))
        except _READ_ERRORS as error:
            raise _unreadable(path, "Parquet", error) from error

    def read_words(names: Sequence[str], words: Sequence[str]) -> Iterator[pa.Table]:
        try:
            with _with_words(source, file, words, is_remote=is_remote) as encoded:
                for batch in iter_parquet(encoded, names, batch_rows=_WORD_BATCH_ROWS, groups=groups):
                    batch.validate(full=True)
                    yield flatten_table(pa.Table.from_batches([batch]).select(names), words=words)
        except _READ_ERRORS as error:
            raise _unreadable(path, "Parquet", error) from error

    names = tuple(name for name in file.schema_arrow.names if name not in set_aside)
    metadata = file.metadata
    n_rows = metadata.num_rows if groups is None else sum(metadata.row_group(group).num_rows for group in groups)
    return TypedFile(names, set_aside, n_rows, read, read_words)


def _parquet_source(path: Path | StoragePath) -> tuple[Any, bool]:
    """Return what Arrow reads, and whether it is in an object store; no map of memory, as a file may be cut."""
    if isinstance(path, Path):
        return path, False
    try:
        return (path.local, False) if path.is_local else (path.open_input(), True)
    except FileNotFoundError as error:
        raise _unreadable(path, "Parquet", error) from error


def _with_words(source: Any, file: pq.ParquetFile, words: Sequence[str], *, is_remote: bool) -> pq.ParquetFile:
    return pq.ParquetFile(source, metadata=file.metadata, read_dictionary=list(words), pre_buffer=is_remote)


def open_arrow(path: Path) -> TypedFile:
    """Open a file of Arrow, also as Feather writes it, or a stream of Arrow in a file."""
    try:
        schema = _open_ipc(path).schema
        set_aside = nested_columns(schema, where=str(path))
    except _READ_ERRORS as error:
        raise _unreadable(path, "Arrow", error) from error

    def read(names: Sequence[str]) -> Iterator[pa.Table]:
        try:
            for batch in _iter_batches(_open_ipc(path)):
                table = pa.Table.from_batches([batch])
                for start in range(0, table.num_rows, _BATCH_ROWS):
                    yield flatten_table(table.slice(start, _BATCH_ROWS).select(names))
        except _READ_ERRORS as error:
            raise _unreadable(path, "Arrow", error) from error

    return TypedFile(tuple(name for name in schema.names if name not in set_aside), set_aside, None, read)


def _open_ipc(path: Path) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    source = pa.OSFile(str(path))
    start: bytes = source.read(len(_ARROW_FILE_START))
    source.seek(0)
    return pa.ipc.open_file(source) if start == _ARROW_FILE_START else pa.ipc.open_stream(source)


def _iter_batches(reader: pa.RecordBatchFileReader | pa.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    is_file = isinstance(reader, pa.RecordBatchFileReader)
    for batch in map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader:
        # Offsets outside their buffer, and texts that are not UTF-8, would be taken as they are.
        batch.validate(full=True)
        yield batch


def _unreadable(path: Path | StoragePath, kind: str, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return UnreadableFile(f"{path}: no such file")
    if not isinstance(path, Path):
        path.require_available(error)
    return UnreadableFile(
        f"{path}: is no readable {kind} file ({' '.join(str(error).split())[:200]}); get the file again"
    )
