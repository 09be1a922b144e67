"""Read a batch that comes as CSV, Parquet or Arrow into columns of plain values, without a frame."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import did_you_mean
from pipeline.serving.errors import BodyTooLarge, FieldError, InvalidRequest, MalformedBody
from pipeline.serving.prediction_types import LineMap

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from pipeline.schema import Schema

__all__ = ["MEDIA_TYPES", "TabularBody", "read_tabular_body"]


@dataclass(frozen=True, slots=True)
class TabularBody:
    """The columns of a body, by name, with None for a missing value; and of a text its lines."""

    columns: dict[str, list[Any]]
    lines: LineMap | None = None


def read_tabular_body(
    media_type: str, body: bytes, schema: Schema, *, max_rows: int, allows_partial: bool = False
) -> TabularBody:
    """Return what a body holds; with `partial`, lines of CSV that cannot be read are named and left out.

    Raises
    ------
    BodyRefused
        When it cannot be read, has other columns than the features, or too many rows.
    """
    lines = None
    if media_type == _CSV_MEDIA_TYPE:
        table, lines = _read_csv(body, schema, max_rows=max_rows if allows_partial else None)
    else:
        table = _READERS[media_type](body)
    if table.num_rows > max_rows:
        raise BodyTooLarge.for_field(
            "body", "rows", f"at most {max_rows:,} rows at a time; this has {table.num_rows:,}"
        )
    _check_column_names(table.column_names, schema, "")
    given = [name for name in schema.feature_names if name in table.column_names]
    return TabularBody({name: _to_python_values(table.column(name)) for name in given}, lines)


def _read_csv(body: bytes, schema: Schema, *, max_rows: int | None) -> tuple[pa.Table, LineMap]:
    """Return the rows that can be read, and where they stood; all of them, unless `max_rows` bounds what may be wrong."""
    import numpy as np

    from pipeline.config.groups.data_config import CsvDialect
    from pipeline.data.csv_reader import parse_csv_stream
    from pipeline.data.input_problems import MAX_INPUT_PROBLEMS

    kinds = {column.name: column.kind for column in schema.features}
    named = _header_names(body)
    if named:
        _check_column_names(named, schema, "line 1.")
        kinds = {name: kinds[name] for name in named}
    limit = MAX_INPUT_PROBLEMS if max_rows is None else max_rows * len(kinds)
    read = parse_csv_stream(io.BytesIO(body), kinds, CsvDialect(), where="body", limit=limit)
    problems = tuple(FieldError(f"line {one.line}.{one.column}", one.rule, one.hint) for one in read.problems)
    unread = tuple(one.line for one in read.problems)
    # Nothing can be told of rows whose columns have no names, or of lines that were not looked at any more.
    if problems and (max_rows is None or unread[0] == 1 or len(problems) >= limit):
        raise InvalidRequest(problems)
    is_read = ~np.isin(read.line_numbers, unread)
    return read.table.filter(is_read), LineMap(read.line_numbers[is_read].tolist(), problems, unread)


def _read_parquet(body: bytes) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        found = parquet.ParquetFile(pa.BufferReader(body))
        _check_table_size(found.metadata.num_rows, found.metadata.num_columns)
        return found.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise MalformedBody.for_field("body", "parquet", "this is no Parquet file that can be read") from error


def _read_arrow(body: bytes) -> pa.Table:
    import pyarrow as pa

    open_it = pa.ipc.open_file if body.startswith(b"ARROW1") else pa.ipc.open_stream
    try:
        table = open_it(pa.BufferReader(body)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise MalformedBody.for_field("body", "arrow", "this is no Arrow stream or file that can be read") from error
    return table


_CSV_MEDIA_TYPE = "text/csv"
_READERS: dict[str, Callable[[bytes], Any]] = {
    "application/vnd.apache.parquet": _read_parquet,
    "application/vnd.apache.arrow.stream": _read_arrow,
    "application/vnd.apache.arrow.file": _read_arrow,
}
MEDIA_TYPES = (_CSV_MEDIA_TYPE, *_READERS)

_MAX_CELLS = 100_000_000
_MAX_LINE_BYTES = 65_536
_MAX_COLUMNS = 1_000


def _check_table_size(n_rows: int, n_columns: int) -> None:
    """Refuse what a small packed file would grow to, before it grows."""
    if n_rows * n_columns > _MAX_CELLS:
        raise BodyTooLarge.for_field("body", "rows", f"at most {_MAX_CELLS:,} cells, once it is unpacked")


def _header_names(body: bytes) -> list[str]:
    """Return the names of the columns of a text; none where the reader has to say what is wrong with them."""
    line = body[:_MAX_LINE_BYTES].partition(b"\n")[0].removesuffix(b"\r").decode("utf-8", "replace")
    try:
        names = next(csv.reader([line.removeprefix("\ufeff")]), [])
    except csv.Error:
        return []
    return names if len(names) <= _MAX_COLUMNS and all(names) else []


def _check_column_names(names: list[str], schema: Schema, prefix: str) -> None:
    known = schema.feature_names
    said = f"no such feature; known: {', '.join(known)}"
    problems = [
        FieldError(f"{prefix}{_shorten_name(name)}", "unknown", f"{said}{did_you_mean(name[:64], known)}")
        for name in names
        if name not in known
    ]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    problems += [
        FieldError(f"{prefix}{_shorten_name(name)}", "duplicate", "a column stands there once") for name in twice
    ]
    if problems:
        raise InvalidRequest(problems)


def _shorten_name(name: str) -> str:
    return name[:64].encode("ascii", "backslashreplace").decode()


def _to_python_values(column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = pc.strftime(pc.cast(column, pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%S")
    values: list[Any] = column.to_pylist()
    if pa.types.is_floating(column.type):
        # Frames write a missing number as NaN.
        return [None if value is not None and value != value else value for value in values]  # noqa: PLR0124
    return values
