"""Read a batch of CSV, Parquet or Arrow into columns of Python values, without pandas."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.schema import TextFormat
from pipeline.serving.prediction_types import LineMap
from pipeline.serving.rows.echoed_ids import echoed_id_names
from pipeline.serving.serving_errors import BodyTooLarge, FieldError, InvalidRequest, MalformedBody

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from pipeline.schema import Column, Schema

__all__ = ["MEDIA_TYPES", "TabularBody", "read_tabular_body"]


@dataclass(frozen=True, slots=True)
class TabularBody:
    """The features and ids of a body by name; a missing value is None. For CSV also the lines of its rows."""

    columns: dict[str, list[Any]]
    lines: LineMap | None = None


def read_tabular_body(
    media_type: str, body: bytes, schema: Schema, *, max_rows: int, allows_partial: bool = False
) -> TabularBody:
    """Return the columns of a body; with `allows_partial`, invalid CSV lines are reported and skipped.

    Raises
    ------
    MalformedBody
        When the body is not Parquet or Arrow.
    InvalidRequest
        When a CSV line is invalid, or a column is not declared.
    BodyTooLarge
        When it has too many rows.
    """
    from pipeline.data.formats.typed_file import flatten_table

    lines = None
    if media_type == _CSV_MEDIA_TYPE:
        table, lines = _read_csv(body, schema, max_rows=max_rows if allows_partial else None)
    else:
        table = _READERS[media_type](body)
    if table.num_rows > max_rows:
        raise BodyTooLarge.for_field(
            "body", "rows", f"has {table.num_rows:,} rows; at most {max_rows:,} are accepted at a time"
        )
    _check_column_names(table.column_names, schema, "")
    table = table if lines is not None else flatten_table(table)
    available = set(table.column_names)
    given_names = [name for name in (*schema.feature_names, *echoed_id_names(schema)) if name in available]
    # The CSV reader has read moments into UTC.
    columns = {
        name: _to_python_values(table.column(name), schema.column(name), is_utc=lines is not None)
        for name in given_names
    }
    return TabularBody(columns, lines)


def _read_csv(body: bytes, schema: Schema, *, max_rows: int | None) -> tuple[pa.Table, LineMap]:
    """Return the valid rows with their lines; None for `max_rows` refuses the body at the first invalid line."""
    import numpy as np

    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.data.csv_reader import parse_csv_stream, read_column_names
    from pipeline.data.input_problems import MAX_INPUT_PROBLEMS
    from pipeline.data.row_dialect import choose_row_dialect

    formats = {column.name: column.text_format for column in schema.features}
    dialect = choose_row_dialect(body, CsvDialect.from_settings(schema.dialect), schema.accepted_names)
    column_names = read_column_names(io.BytesIO(body), dialect)
    if 0 < len(column_names) <= _MAX_UNKNOWN_COLUMNS + len(schema.accepted_names):
        _check_column_names(column_names, schema, "line 1.")
        # A column that is no feature is not read.
        formats = {name: formats.get(name, TextFormat("text")) for name in column_names}
    limit = MAX_INPUT_PROBLEMS if max_rows is None else max_rows * len(formats)
    parsed = parse_csv_stream(io.BytesIO(body), formats, dialect, where="body", limit=limit)
    errors = tuple(
        FieldError(f"line {problem.line}.{problem.column}", problem.rule, problem.hint) for problem in parsed.problems
    )
    error_lines = tuple(problem.line for problem in parsed.problems)
    # Without a valid header, or beyond the limit of errors, no row is known to be valid.
    if errors and (max_rows is None or error_lines[0] <= parsed.header_line or len(errors) >= limit):
        raise InvalidRequest(errors)
    is_valid = ~np.isin(parsed.line_numbers, error_lines)
    return parsed.table.filter(is_valid), LineMap(parsed.line_numbers[is_valid].tolist(), errors, error_lines)


def _read_parquet(body: bytes) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pa.BufferReader(body))
        _check_table_size(file.metadata.num_rows, file.metadata.num_columns)
        return file.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise MalformedBody.for_field("body", "parquet", "is not a valid Parquet file") from error


def _read_arrow(body: bytes) -> pa.Table:
    import pyarrow as pa

    open_reader = pa.ipc.open_file if body.startswith(b"ARROW1") else pa.ipc.open_stream
    try:
        table = open_reader(pa.BufferReader(body)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise MalformedBody.for_field("body", "arrow", "is not a valid Arrow stream or file") from error
    return table


_CSV_MEDIA_TYPE = "text/csv"
_READERS: dict[str, Callable[[bytes], Any]] = {
    "application/vnd.apache.parquet": _read_parquet,
    "application/vnd.apache.arrow.stream": _read_arrow,
    "application/vnd.apache.arrow.file": _read_arrow,
}
MEDIA_TYPES = (_CSV_MEDIA_TYPE, *_READERS)

_MAX_CELLS = 100_000_000
_MAX_UNKNOWN_COLUMNS = 1_000


def _check_table_size(n_rows: int, n_columns: int) -> None:
    """Refuse a small compressed file with too many values before it is decompressed."""
    if n_rows * n_columns > _MAX_CELLS:
        raise BodyTooLarge.for_field(
            "body", "rows", f"has more than {_MAX_CELLS:,} values after decompression; send fewer rows"
        )


def _check_column_names(names: list[str], schema: Schema, prefix: str) -> None:
    accepted = schema.accepted_names
    errors = [
        FieldError(f"{prefix}{_shorten_name(name)}", "unknown", schema.unknown_name_message(name))
        for name in names
        if name not in accepted
    ]
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    errors += [FieldError(f"{prefix}{_shorten_name(name)}", "duplicate", "is given twice") for name in repeated]
    if errors:
        raise InvalidRequest(errors)


def _shorten_name(name: str) -> str:
    return name[:64].encode("ascii", "backslashreplace").decode()


def _to_python_values(column: pa.ChunkedArray, declared: Column, *, is_utc: bool) -> list[Any]:
    """Return values as a JSON body has them; moments without a zone are in UTC, or in the declared zone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        has_offset = is_utc or (pa.types.is_timestamp(column.type) and column.type.tz is not None)
        end = "Z" if has_offset and declared.zone is not None else ""
        column = pc.strftime(pc.cast(column, pa.timestamp("us")), format=f"%Y-%m-%dT%H:%M:%S{end}")
    values: list[Any] = column.to_pylist()
    if pa.types.is_floating(column.type):
        # pandas writes a missing number as NaN.
        return [None if value is not None and value != value else value for value in values]  # noqa: PLR0124
    return values
