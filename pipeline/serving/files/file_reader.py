"""Read rows to score from a CSV or Parquet file in batches, and check each value against its declaration."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config.groups.data_config import CsvDialect
from pipeline.data.cell_parsers import CELL_GRAMMARS
from pipeline.data.coercion import coerce_table
from pipeline.data.csv_reader import iter_csv_tables
from pipeline.data.input_problems import to_data_error
from pipeline.data.scoring_file import name_problems, read_header_names
from pipeline.errors import DataError, UsageError
from pipeline.serving.rows.value_checks import check_value
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.schema import Column, ColumnKind, Schema

__all__ = ["TableValidator", "parquet_row_count", "read_column_names", "read_file_tables"]

_PARQUET_BATCH_ROWS = 65_536
_MAX_CACHED_VALUES = 100_000
_MAX_REPORTED_ERRORS = 20
_DEFAULT_DIALECT = CsvDialect()
_ID_KIND: ColumnKind = "text"  # an id of another type than the declared one refuses no row


def read_file_tables(
    path: Path, schema: Schema, ids: tuple[str, ...], *, dialect: CsvDialect = _DEFAULT_DIALECT
) -> Iterator[pa.Table]:
    """Yield a file in batches: the features of the model with their declared types, and the columns `ids` as they are.

    A nullable feature that the file lacks is missing in each row; declared columns that are neither are left out.
    Ids of a CSV file are texts, those of a Parquet file have the types of the file.

    Raises
    ------
    DataError
        When the file cannot be read, lacks a column, has one that is not declared, or a value of another type.
    UsageError
        When it is neither CSV nor Parquet.
    """
    names = read_column_names(path, dialect)
    if problems := name_problems(names, schema, path=str(path)):
        raise to_data_error(problems)
    kinds: dict[str, ColumnKind] = {column.name: column.kind for column in schema.features}
    given = {name: kind for name, kind in kinds.items() if not names or name in names}
    for table in _read_tables(path, given, dialect, ids=ids, private_notes=schema.private_notes):
        absent = {
            name: pa.nulls(table.num_rows, CELL_GRAMMARS[kind].arrow_type)
            for name, kind in kinds.items()
            if name not in given
        }
        yield pa.table({name: absent[name] if name in absent else table[name] for name in (*ids, *kinds)})


def parquet_row_count(path: Path) -> int | None:
    """Return how many rows a Parquet file has; None for a CSV file, whose rows are not counted in advance."""
    return pq.ParquetFile(path).metadata.num_rows if path.suffix == ".parquet" else None


def read_column_names(path: Path, dialect: CsvDialect = _DEFAULT_DIALECT) -> list[str]:
    """Return the column names of a Parquet file, or the names in the first line of a CSV file."""
    if path.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{path}: accepted are files that end with .csv or .parquet")
    if path.suffix == ".csv":
        return read_header_names(path, dialect)
    return list(_open_parquet(path).schema_arrow.names)


def _read_tables(
    path: Path,
    kinds: dict[str, ColumnKind],
    dialect: CsvDialect,
    *,
    ids: tuple[str, ...],
    private_notes: Mapping[str, str],
) -> Iterator[pa.Table]:
    if path.suffix == ".csv":
        all_kinds = {**dict.fromkeys(ids, _ID_KIND), **kinds}
        yield from iter_csv_tables(path, all_kinds, dialect, private_notes=private_notes)
        return
    file = _open_parquet(path)
    present = [name for name in (*ids, *kinds) if name in file.schema_arrow.names]
    try:
        for batch in file.iter_batches(batch_size=_PARQUET_BATCH_ROWS, columns=present):
            table = pa.Table.from_batches([batch])
            features = coerce_table(table, kinds, where=str(path), private_notes=private_notes)
            yield pa.table({**{name: _to_flat(table[name]) for name in ids}, **dict(zip(kinds, features, strict=True))})
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error})") from error


def _to_flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return ids as a column that a CSV file can hold: nested values as texts."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        return pa.chunked_array([[None if value is None else str(value) for value in column.to_pylist()]], pa.string())
    return column


def _open_parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error})") from error


class TableValidator:
    """Checks the values of whole columns against their declaration, each distinct value once."""

    def __init__(self, schema: Schema, *, where: str) -> None:
        self._columns = schema.features
        self._constraints = {column.name: column.value_constraints for column in schema.features}
        self._valid_values: dict[str, set[Any]] = {column.name: set() for column in schema.features}
        self._where = where

    def check(self, table: pa.Table, *, first_row: int) -> None:
        """Check a batch of a file whose first row has this number (from 1).

        Raises
        ------
        DataError
            Naming rows and columns, at most 20.
        """
        errors: list[tuple[int, str]] = []
        for column in self._columns:
            values = table.column(column.name)
            messages = dict(self._invalid_values(column, values))
            if messages:
                errors += [
                    (row, f"{self._where}: row {first_row + row}: {column.name}: {messages[value]}")
                    for row, value in enumerate(values.to_pylist())
                    if value in messages
                ]
        if errors:
            listed = "\n".join(message for _, message in sorted(errors)[:_MAX_REPORTED_ERRORS])
            n_errors = pluralize(len(errors), "invalid value")
            raise DataError(f"{listed}\n{self._where}: {n_errors} in this batch; correct the file and try again")

    def _invalid_values(self, column: Column, values: Any) -> Iterator[tuple[Any, str]]:
        constraints = self._constraints[column.name]
        if not column.nullable and values.null_count:
            error = check_value(column, constraints, None)[1]
            yield None, "" if error is None else error.message
        if column.kind == "datetime" and not constraints:
            return
        if column.is_numeric and all(constraint.interval is not None for constraint in constraints):
            extremes = pc.min_max(values).as_py()
            if all(value is None or check_value(column, constraints, value)[1] is None for value in extremes.values()):
                return
        valid_values = self._valid_values[column.name]
        for value in pc.unique(values).to_pylist():
            if value is None or value in valid_values:
                continue
            given = value.isoformat() if isinstance(value, datetime) else value
            error = check_value(column, constraints, given)[1]
            if error is not None:
                yield value, error.message
            elif len(valid_values) < _MAX_CACHED_VALUES:
                valid_values.add(value)
