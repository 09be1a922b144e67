"""Read rows of any size as Arrow batches of the declared types, and list the columns that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import DataError
from pipeline.files import iter_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from pipeline.schema import ColumnKind, Schema
    from pipeline.storage import StoragePath

__all__ = ["ArrowRows", "ParquetRows", "batches_to_frame", "is_missing", "open_rows"]

_BATCH_ROWS = 1 << 17
_INT64_BOUND = 2.0**63
_ARROW_TYPES: dict[ColumnKind, pa.DataType] = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
    "text": pa.string(),
    "datetime": pa.timestamp("us"),
}


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """The rows of a Parquet file, or of some of its row groups.

    Attributes
    ----------
    path : Path or StoragePath
    groups : range or None
        Numbers of row groups; all when None.
    """

    path: Path | StoragePath
    groups: range | None = None

    def open(self, *, read_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
        """Return the open file; the columns `read_dictionary` stay dictionary-encoded.

        Raises
        ------
        DataError
            When the file is missing or is no Parquet file.
        """
        try:
            # A path, since a local file that is mapped into memory counts as memory of the process.
            source = self.path if isinstance(self.path, Path) else self.path.open_input()
            return pq.ParquetFile(source, read_dictionary=list(read_dictionary))
        except FileNotFoundError as error:
            raise DataError(f"{self.path}: no such file") from error
        except pa.ArrowInvalid as error:
            raise DataError(f"{self.path}: not a readable Parquet file ({error})") from error

    def batches(self, columns: Sequence[str], *, read_dictionary: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """Yield batches of up to 131,072 rows."""
        with self.open(read_dictionary=read_dictionary) as file:
            yield from iter_parquet(file, columns, batch_rows=_BATCH_ROWS, groups=self.groups)


@dataclass(frozen=True)
class ArrowRows:
    """Declared columns of a table in memory or of a Parquet file.

    Attributes
    ----------
    kinds : dict
        Kind of each column that can be read, in the declared order, the target last.
    unreadable : dict
        Why a declared column cannot be read, by its name.
    undeclared_columns : tuple of str
        Columns that are not declared; they are not read.
    n_rows : int
    """

    source: pa.Table | ParquetRows
    kinds: dict[str, ColumnKind]
    unreadable: dict[str, str]
    undeclared_columns: tuple[str, ...]
    n_rows: int

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield batches of up to 131,072 rows; texts come dictionary-encoded."""
        names = [name for name in self.kinds if columns is None or name in columns]
        for batch in self._raw_batches(names):
            arrays = [_convert_array(batch.column(name), self.kinds[name]) for name in names]
            yield pa.RecordBatch.from_arrays(arrays, names=names)

    def _raw_batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        if isinstance(self.source, ParquetRows):
            text_columns = [name for name in names if _ARROW_TYPES[self.kinds[name]] == pa.string()]
            yield from self.source.batches(names, read_dictionary=text_columns)
        else:
            yield from self.source.select(names).to_batches(max_chunksize=_BATCH_ROWS)

    def to_frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all rows as a frame with nullable dtypes."""
        import pandas as pd

        batches = list(self.batches(columns))
        return batches_to_frame(batches) if batches else pd.DataFrame({name: [] for name in columns or self.kinds})


def batches_to_frame(batches: Sequence[pa.RecordBatch]) -> pd.DataFrame:
    """Return one or more batches of `ArrowRows` as a frame with nullable dtypes."""
    import pandas as pd

    table = pa.Table.from_batches(batches)
    plain = {
        name: column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    dtypes: dict[pa.DataType, Any] = {
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(),
        pa.large_string(): pd.StringDtype(),
    }
    frame: pd.DataFrame = pa.table(plain).to_pandas(types_mapper=dtypes.get)
    return frame


def open_rows(source: pd.DataFrame | Path | ParquetRows, schema: Schema, *, with_target: bool = True) -> ArrowRows:
    """Return the declared columns of a frame or a Parquet file.

    Raises
    ------
    DataError
        When a file is missing or is no Parquet file.
    """
    kinds = {column.name: column.kind for column in schema.columns}
    if with_target:
        kinds[schema.target.column] = "category"
    if isinstance(source, Path):
        source = ParquetRows(source)
    if isinstance(source, ParquetRows):
        readable_source: pa.Table | ParquetRows = source
        types, n_rows = _read_parquet_schema(source)
        unreadable = {
            name: reason
            for name, kind in kinds.items()
            if (reason := _unreadable_reason_in_file(source, name, kind, types))
        }
    else:
        arrays, unreadable = _frame_to_arrays(source, kinds, schema.private_notes)
        readable_source, types, n_rows = pa.table(arrays), dict.fromkeys(source.columns), len(source)
    readable_kinds = {name: kind for name, kind in kinds.items() if name not in unreadable}
    undeclared_columns = tuple(sorted(str(name) for name in types if name not in kinds))
    return ArrowRows(readable_source, readable_kinds, unreadable, undeclared_columns, n_rows)


def _read_parquet_schema(source: ParquetRows) -> tuple[dict[str, pa.DataType | None], int]:
    with source.open() as file:
        fields = {field.name: field.type for field in file.schema_arrow}
        groups = range(file.metadata.num_row_groups) if source.groups is None else source.groups
        return dict(fields), sum(file.metadata.row_group(group).num_rows for group in groups)


def _unreadable_reason_in_file(
    source: ParquetRows, name: str, kind: ColumnKind, types: dict[str, pa.DataType | None]
) -> str | None:
    """Return why a column of a file cannot be read; integers that are stored as floats are tested."""
    arrow_type = types.get(name)
    if arrow_type is None or kind != "integer" or not pa.types.is_floating(arrow_type):
        return _unreadable_reason(arrow_type, kind, None)
    reasons = (_unreadable_reason(arrow_type, kind, batch.column(0)) for batch in source.batches([name]))
    return next((reason for reason in reasons if reason is not None), None)


def _frame_to_arrays(
    frame: pd.DataFrame, kinds: dict[str, ColumnKind], private_notes: dict[str, str]
) -> tuple[dict[str, pa.Array], dict[str, str]]:
    arrays: dict[str, pa.Array] = {}
    unreadable: dict[str, str] = {}
    for name, kind in kinds.items():
        if name not in frame.columns:
            unreadable[name] = "is missing"
            continue
        try:
            array = pa.Array.from_pandas(frame[name])
            array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        except pa.ArrowException as error:
            detail = private_notes.get(name) or str(error).splitlines()[0]  # Arrow quotes a value
            unreadable[name] = f"has values of several types ({detail})"
            continue
        reason = _unreadable_reason(array.type, kind, array)
        if reason is None:
            arrays[name] = _convert_array(array, kind)
        else:
            unreadable[name] = reason
    return arrays, unreadable


def _unreadable_reason(arrow_type: pa.DataType | None, kind: ColumnKind, array: pa.Array | None) -> str | None:
    """Return why values of a type cannot be read as `kind`; None when they can, without loss."""
    if arrow_type is None:
        return "is missing"
    if array is not None and kind == "integer" and pa.types.is_floating(array.type):
        return (
            None
            if _has_whole_numbers(array)
            else f"has type {arrow_type}: some numbers are not whole, {kind} is declared"
        )
    if _is_readable(arrow_type, kind) or pa.types.is_null(arrow_type):
        return None
    return f"has type {arrow_type}, {kind} is declared"


def _is_readable(arrow_type: pa.DataType, kind: ColumnKind) -> bool:
    if kind == "integer":
        return bool(pa.types.is_integer(arrow_type) and arrow_type != pa.uint64())
    if kind == "float":
        return bool(pa.types.is_floating(arrow_type) or pa.types.is_integer(arrow_type))
    if kind == "boolean":
        return bool(pa.types.is_boolean(arrow_type))
    if kind == "datetime":
        return bool(pa.types.is_timestamp(arrow_type) or pa.types.is_date(arrow_type))
    return _is_text_type(arrow_type)


def _has_whole_numbers(array: pa.Array) -> bool:
    numbers = np.asarray(array.drop_null().cast(pa.float64()))
    present = numbers[~np.isnan(numbers)]
    return bool(((present == np.rint(present)) & (np.abs(present) < _INT64_BOUND)).all())


def _is_text_type(arrow_type: pa.DataType) -> bool:
    inner = arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner))


def _convert_array(array: pa.Array, kind: ColumnKind) -> pa.Array:
    """Return `array` with the type of its kind: NaN becomes missing, texts are dictionary-encoded."""
    if pa.types.is_floating(array.type) and pc.any(pc.is_nan(array)).as_py():
        array = pc.if_else(pc.is_nan(array), None, array)
    arrow_type = _ARROW_TYPES[kind]
    if arrow_type == pa.string():
        return array if pa.types.is_dictionary(array.type) else array.cast(arrow_type).dictionary_encode()
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        array = array.cast(pa.timestamp("us", tz="UTC"))
    return array if array.type == arrow_type else array.cast(arrow_type)


def is_missing(array: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which values are missing, shape (len(array),)."""
    if array.null_count == 0:
        return np.zeros(len(array), dtype=bool)
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False))
