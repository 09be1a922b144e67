"""Read columns of a file in batches, with their declared types."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.data.coercion import coerce_table
from pipeline.data.csv_reader import iter_csv_tables
from pipeline.schema import TextFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.data.formats.typed_file import TypedFile

__all__ = ["read_row_tables"]

_ID_FORMAT = TextFormat("text")  # an id of another type than the declared one refuses no row


def read_row_tables(
    file: Path | TypedFile,
    formats: Mapping[str, TextFormat],
    dialect: CsvDialect,
    *,
    ids: tuple[str, ...] = (),
    where: str,
    private_notes: Mapping[str, str],
    first_row: int = 1,
) -> Iterator[pa.Table]:
    """Yield the columns `ids` as they are, and those of `formats` with their types; categories may be dictionaries.

    Parameters
    ----------
    file : Path or TypedFile
        A CSV file, or an open file of another format.
    formats : mapping
        How the values of each column are read.
    dialect : CsvDialect
        Of a CSV file.
    ids : tuple of str, optional
        Columns that are not checked; texts where the format has no types.
    where : str
        Name of the file in errors.
    private_notes : mapping
        Replace values in errors.
    first_row : int
        Number of the first row in errors of a format with types; lines count those of CSV.

    Raises
    ------
    DataError
        When the file lacks a column, or has a value of another type.
    """
    if isinstance(file, Path):
        yield from iter_csv_tables(
            file, {**dict.fromkeys(ids, _ID_FORMAT), **formats}, dialect, private_notes=private_notes
        )
        return
    names = [name for name in (*ids, *formats) if name in file.names or name in ids]
    words = [name for name, text_format in formats.items() if text_format.kind == "category" and name not in ids]
    for table in file.read(names) if file.read_words is None else file.read_words(names, words):
        features = coerce_table(
            table,
            formats,
            where=where,
            private_notes=private_notes,
            holds_cells=file.holds_cells,
            keeps_words=True,
            first_row=first_row,
        )
        first_row += table.num_rows
        id_columns = {name: _to_flat(table[name], as_text=file.holds_cells) for name in ids}
        yield pa.table({**id_columns, **dict(zip(formats, features, strict=True))})


def _to_flat(column: pa.ChunkedArray, *, as_text: bool) -> pa.ChunkedArray:
    """Return ids as a column that a CSV file can hold: nested values, and those of a format of cells, as texts."""
    if pa.types.is_nested(column.type):
        return pa.chunked_array([[None if value is None else str(value) for value in column.to_pylist()]], pa.string())
    return column.cast(pa.string()) if as_text else column
