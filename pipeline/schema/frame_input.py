"""Turn the rows that a caller brings (pandas, polars, pyarrow, DuckDB, mappings) into one form of pandas frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError, UnsupportedFrame, UsageError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["as_frame", "as_labels", "is_arrow_data"]

_EXPECTED = (
    "expected a frame with named columns: pandas, polars, pyarrow, DuckDB or another with __arrow_c_stream__; a"
    " mapping of names to values; or a list of mappings, one for each row"
)
# How to convert what people bring most often, by the name of its type.
_REMEDIES = {
    "ndarray": "pd.DataFrame(array, columns=[...]) names the columns",
    "Series": "series.to_frame().T is a frame of one row, series.to_frame() one of one column",
    "LazyFrame": "frame.collect() computes its rows",
    "generator": "list(generator) holds its rows",
    "str": "pd.read_csv or pd.read_parquet reads a file",
    "PosixPath": "pd.read_csv or pd.read_parquet reads a file",
}
_MAX_INT64_DIGITS = 18


def as_frame(rows: Any, *, name: str = "rows", takes_positions: bool = False) -> pd.DataFrame:
    """Return `rows` as a pandas frame whose columns have distinct texts as names.

    A pandas frame whose columns have numpy or nullable dtypes is returned as it is. Arrow columns become nullable
    integers, booleans and texts; floats keep their width, and null becomes NaN. Dictionaries become their values,
    decimals numbers, dates moments.

    Parameters
    ----------
    rows : frame, Arrow data, mapping of columns, list of mappings, or structured array
        Arrow data is anything with `__arrow_c_stream__` or `__arrow_c_array__`. A reader is consumed.
    name : str
        What the rows are called in errors.
    takes_positions : bool
        Whether an array of two dimensions is accepted, whose columns are named by their positions.

    Raises
    ------
    UnsupportedFrame
        When `rows` has no names of columns, or another form.
    UsageError
        When two columns have one name.
    """
    import pandas as pd

    if isinstance(rows, pd.DataFrame):
        return _normalized(_with_text_names(rows, name), name)
    if is_arrow_data(rows):
        return _table_to_frame(_to_table(rows, name), name)
    if isinstance(rows, Mapping):
        return _from_columns(rows, name)
    if isinstance(rows, list | tuple) and rows and all(isinstance(row, Mapping) for row in rows):
        return _from_columns(_columns_of_records(rows), name)
    if getattr(getattr(rows, "dtype", None), "names", None):
        return _normalized(pd.DataFrame(rows), name)
    if takes_positions and _is_matrix(rows):
        return _normalized(pd.DataFrame(rows).rename(columns=str), name)
    raise _refusal(rows, name)


def as_labels(values: Any, *, name: str = "y") -> pd.Series:
    """Return the labels of rows as a pandas Series without its index.

    Parameters
    ----------
    values : Series, array, list, Arrow data, or frame of one column
    name : str
        What the labels are called in errors.

    Raises
    ------
    UnsupportedFrame
        When `values` has more than one column, or no values.
    """
    import pandas as pd

    if isinstance(values, pd.DataFrame) or (is_arrow_data(values) and _has_columns(values)):
        frame = as_frame(values, name=name)
        if frame.shape[1] != 1:
            raise UnsupportedFrame(f"{name}: found {frame.shape[1]} columns; expected one column of labels")
        return frame.iloc[:, 0].reset_index(drop=True)
    if is_arrow_data(values) and not isinstance(values, pd.Series):
        import pyarrow as pa

        column = pa.chunked_array(values) if hasattr(values, "__arrow_c_stream__") else pa.array(values)
        return _table_to_frame(pa.table({"y": column}), name)["y"].rename(getattr(values, "name", None))
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__"):
        raise UnsupportedFrame(f"{name}: found {_type_name(values)}; expected a Series, an array or a list of labels")
    shape: tuple[int, ...] = getattr(values, "shape", (len(values),))
    if len(shape) == 2 and shape[1] == 1:
        values = values[:, 0]
    elif len(shape) != 1:
        raise UnsupportedFrame(f"{name}: has the shape {tuple(shape)}; expected one label for each row")
    return pd.Series(values).reset_index(drop=True)


def is_arrow_data(rows: Any) -> bool:
    """Return whether an object hands over Arrow data by the Arrow C interface."""
    return not isinstance(rows, type) and (hasattr(rows, "__arrow_c_stream__") or hasattr(rows, "__arrow_c_array__"))


def _has_columns(values: Any) -> bool:
    """Return whether Arrow data is a table; a column of structs counts as one."""
    import pyarrow as pa

    if isinstance(values, pa.Array | pa.ChunkedArray):
        return bool(pa.types.is_struct(values.type))
    # polars and pandas call a column Series; a DuckDB relation and tables of all libraries have names of columns.
    return hasattr(values, "columns") or isinstance(values, pa.RecordBatchReader)


def _is_matrix(rows: Any) -> bool:
    if hasattr(rows, "shape"):
        return len(rows.shape) == 2
    return isinstance(rows, list | tuple) and bool(rows) and all(_is_plain_row(row) for row in rows)


def _is_plain_row(row: Any) -> bool:
    return isinstance(row, Sequence) and not isinstance(row, str | bytes)


def _refusal(rows: Any, name: str) -> UnsupportedFrame:
    kind = _type_name(rows)
    remedy = _REMEDIES.get(kind)
    return UnsupportedFrame(f"{name}: found {kind}; {_EXPECTED}{f'. {remedy}' if remedy else ''}")


def _type_name(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _to_table(rows: Any, name: str) -> pa.Table:
    import pyarrow as pa

    try:
        if hasattr(rows, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(rows).read_all()
        return pa.Table.from_batches([pa.record_batch(rows)])
    except (pa.ArrowException, TypeError, ValueError) as error:
        if isinstance(error, pa.ArrowInvalid | TypeError | ValueError) and "struct" in str(error):
            raise _refusal(rows, name) from error
        raise UnsupportedFrame(f"{name}: {_type_name(rows)} cannot be read as Arrow data ({error})") from error


def _columns_of_records(rows: Sequence[Mapping[Any, Any]]) -> dict[Any, list[Any]]:
    """Return the columns of records; a name that a record lacks is missing in its row."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {column: [row.get(column) for row in rows] for column in names}


def _from_columns(columns: Mapping[Any, Any], name: str) -> pd.DataFrame:
    import pandas as pd

    lengths = {str(column): len(values) for column, values in columns.items() if _is_column(values)}
    single = [str(column) for column in columns if str(column) not in lengths]
    if not columns or single:
        found = f"one value for {', '.join(single)}" if single else "no columns"
        raise UnsupportedFrame(f"{name}: found a mapping with {found}; expected a list of values for each column")
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{column} has {length}" for column, length in lengths.items())
        raise DataError(f"{name}: columns have different numbers of values ({listed})")
    series = {column: _column_to_series(values) for column, values in columns.items()}
    return _normalized(_with_text_names(pd.DataFrame(series), name), name)


def _is_column(values: Any) -> bool:
    return hasattr(values, "__len__") and not isinstance(values, str | bytes | Mapping)


def _column_to_series(values: Any) -> Any:
    """Return the values of a column without an index: rows belong together by position."""
    import pandas as pd

    if is_arrow_data(values) and not isinstance(values, pd.Series):
        return as_labels(values)
    # A list of whole numbers and None would become floats, which lose digits beyond 2 ** 53.
    if isinstance(values, list | tuple) and {type(value) for value in values} == {int, type(None)}:
        return pd.Series(values, dtype="Int64")
    return pd.Series(values).reset_index(drop=True)


def _with_text_names(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    if frame.columns.nlevels > 1:
        raise UnsupportedFrame(
            f"{name}: has names of columns in {frame.columns.nlevels} levels; expected one: set frame.columns to a list"
        )
    if not all(type(column) is str for column in frame.columns):
        frame = frame.rename(columns=str)
    _refuse_duplicates(list(frame.columns), name)
    return frame


def _refuse_duplicates(names: Sequence[str], name: str) -> None:
    if len(set(names)) == len(names):
        return
    duplicated = sorted({column for column in names if names.count(column) > 1})
    raise UsageError(f"{name}: columns {', '.join(duplicated)} occur more than once; rename them")


def _normalized(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the frame with its Arrow-backed columns and decimals in the form that other Arrow data gets."""
    import pandas as pd
    import pyarrow as pa

    arrow_names = [column for column, dtype in frame.dtypes.items() if isinstance(dtype, pd.ArrowDtype)]
    decimal_names = [
        column
        for column, dtype in frame.dtypes.items()
        if dtype.name == "object" and pd.api.types.infer_dtype(frame[column], skipna=True) == "decimal"
    ]
    if not arrow_names and not decimal_names:
        return frame
    columns = {column: pa.array(frame[column], from_pandas=True) for column in (*arrow_names, *decimal_names)}
    converted = _table_to_frame(pa.table(columns), name).set_index(frame.index)
    return frame.assign(**{str(column): converted[column] for column in converted})


def _table_to_frame(table: pa.Table, name: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    _refuse_duplicates(table.column_names, name)
    plain = pa.table({column: _plain_column(table.column(column)) for column in table.column_names})
    integers: dict[Any, Any] = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.large_string(): pd.StringDtype(),
    }
    frame: pd.DataFrame = plain.to_pandas(types_mapper=integers.get, ignore_metadata=True)
    return frame


def _plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values of a column in a type that pandas has a dtype for."""
    import pyarrow as pa

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        kind = column.type
    if pa.types.is_run_end_encoded(kind):
        return _plain_column(column.cast(kind.value_type))
    if pa.types.is_dictionary(kind):
        # Arrow casts no dictionary of text views, which polars hands over.
        words = [_plain_column(pa.chunked_array([chunk.dictionary])).combine_chunks() for chunk in column.chunks]
        taken = [values.take(chunk.indices) for values, chunk in zip(words, column.chunks, strict=True)]
        return pa.chunked_array(taken) if taken else _plain_column(pa.chunked_array([], kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if pa.types.is_decimal(kind):
        is_integer = kind.scale == 0 and kind.precision <= _MAX_INT64_DIGITS
        return column.cast(pa.int64() if is_integer else pa.float64())
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("ms" if pa.types.is_date64(kind) else "s")).cast(pa.timestamp("us"))
    return column
