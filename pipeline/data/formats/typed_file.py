"""A file of rows whose format has types of its own, read batch by batch as flat Arrow columns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.formats.python_columns import join_columns
from pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["WORDS", "TypedFile", "flatten_table", "nested_columns", "read_all"]

WORDS = pa.dictionary(pa.int32(), pa.string())
# What pandas writes beside the columns of a frame.
_PANDAS_INDEX = "__index_level_"


@dataclass(frozen=True, slots=True)
class TypedFile:
    """An open file.

    Attributes
    ----------
    names : tuple of str
        Columns of plain values.
    set_aside : mapping
        What each other column holds, such as nested values; they are never read.
    n_rows : int or None
        The number of rows; None where it is unknown before the file is read.
    read : callable
        Yields the named columns in batches, as numbers, booleans, moments and texts.
    read_words : callable or None
        Yields the named columns in larger batches, where those of the second argument may be dictionaries of texts;
        None where the format has no such form.
    holds_cells : bool
        Whether texts stand for values of any kind, as in a CSV file, because the format has no dates or lets
        a column mix kinds.
    text_names : frozenset of str
        Columns of a format of cells that hold nothing but texts, each in quotes.
    """

    names: tuple[str, ...]
    set_aside: Mapping[str, str]
    n_rows: int | None
    read: Callable[[Sequence[str]], Iterator[pa.Table]]
    read_words: Callable[[Sequence[str], Sequence[str]], Iterator[pa.Table]] | None = None
    holds_cells: bool = False
    text_names: frozenset[str] = frozenset()


def read_all(file: TypedFile, names: Sequence[str]) -> pa.Table:
    """Return columns of all rows in one table; a column with values of several kinds becomes one of texts."""
    tables = list(file.read(names))
    return pa.table({name: join_columns([table.column(name) for table in tables]) for name in names})


def nested_columns(schema: pa.Schema, *, where: str) -> dict[str, str]:
    """Return what each column holds that is no column of plain values, by its name.

    Raises
    ------
    DataError
        When two columns have one name.
    """
    counts = Counter(schema.names)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise DataError(f"{where}: two columns have the name {twice[0]!r}; rename one of them in the file")
    columns: dict[str, str] = {}
    for item in schema:
        plain = item.type.value_type if pa.types.is_dictionary(item.type) else item.type
        plain = plain.storage_type if isinstance(plain, pa.BaseExtensionType) else plain
        if item.name.startswith(_PANDAS_INDEX):
            columns[item.name] = "the index of a pandas frame"
        elif pa.types.is_nested(plain):
            columns[item.name] = f"nested values ({_type_name(plain)})"
        elif _is_binary(plain):
            columns[item.name] = "bytes"
        elif pa.types.is_interval(plain):
            columns[item.name] = "intervals of calendar months"
    return columns


def _type_name(arrow_type: pa.DataType) -> str:
    return str(arrow_type).partition("<")[0]


def _is_binary(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(arrow_type)
        or pa.types.is_large_binary(arrow_type)
        or pa.types.is_fixed_size_binary(arrow_type)
        or pa.types.is_binary_view(arrow_type)
    )


def flatten_table(table: pa.Table, *, words: Sequence[str] = ()) -> pa.Table:
    """Return a table of plain values: dictionaries decoded, durations as seconds, times of day as texts.

    Columns of `words` remain dictionaries of texts.
    """
    columns = {name: table.column(name) for name in table.column_names}
    return pa.table(
        {
            name: column if name in words and column.type == WORDS else _flatten_column(column)
            for name, column in columns.items()
        }
    )


def _flatten_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_duration(column.type):
        seconds = pc.divide(column.cast(pa.int64()).cast(pa.float64()), _UNITS_PER_SECOND[column.type.unit])
        return pa.chunked_array(seconds.chunks, pa.float64())
    if pa.types.is_time(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return column.cast(pa.string())
    return column.cast(pa.float32()) if column.type == pa.float16() else column


_UNITS_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
