"""Read rows to score from a CSV or Parquet file in pieces, each value held against its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config.groups.data_config import CsvDialect
from pipeline.data.coerce import coerce_table
from pipeline.data.csv_reader import iter_csv_tables
from pipeline.errors import DataError, UsageError
from pipeline.serving.rows.value_checks import NUMERIC_BOUND_CHECKS, build_value_checks, check_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.schema import Column, Kind, Schema

__all__ = ["TableValidator", "parquet_row_count", "read_column_names", "read_file_tables"]

_PARQUET_BATCH_ROWS = 65_536
_MAX_CACHED_VALUES = 100_000
_MAX_REPORTED_ERRORS = 20


def read_file_tables(path: Path, schema: Schema, ids: tuple[str, ...]) -> Iterator[pa.Table]:
    """Yield a file in pieces: the features that the model needs, and the columns `ids`, as declared.

    Raises
    ------
    DataError
        When the file cannot be read, lacks a column, or has a value of another kind.
    UsageError
        When it is neither CSV nor Parquet.
    """
    kinds: dict[str, Kind] = {name: schema.column(name).kind for name in (*ids, *schema.feature_names)}
    if path.suffix == ".csv":
        yield from iter_csv_tables(path, kinds, CsvDialect())
    elif path.suffix == ".parquet":
        for table in _read_parquet(path, list(kinds)):
            yield coerce_table(table, kinds, where=str(path))
    else:
        raise UsageError(f"{path}: accepted are files that end with .csv or .parquet")


def parquet_row_count(path: Path) -> int | None:
    """Return how many rows a Parquet file has; None for CSV, where only reading it would tell."""
    return pq.ParquetFile(path).metadata.num_rows if path.suffix == ".parquet" else None


def read_column_names(path: Path) -> list[str]:
    """Return the names of the columns of a file; those of a CSV file as its first line has them."""
    if path.suffix == ".parquet":
        return list(_open_parquet(path).schema_arrow.names)
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return [name.strip('"') for name in stream.readline().rstrip("\r\n").split(",")]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _read_parquet(path: Path, names: list[str]) -> Iterator[pa.Table]:
    file = _open_parquet(path)
    present = [name for name in names if name in file.schema_arrow.names]
    try:
        for batch in file.iter_batches(batch_size=_PARQUET_BATCH_ROWS, columns=present):
            yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error})") from error


def _open_parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error})") from error


class TableValidator:
    """Holds the values of whole columns against their declared checks; each distinct value is looked at once."""

    def __init__(self, schema: Schema, *, where: str) -> None:
        self._columns = schema.features
        self._checks = {column.name: build_value_checks(column) for column in schema.features}
        self._valid_values: dict[str, set[Any]] = {column.name: set() for column in schema.features}
        self._where = where

    def check(self, table: pa.Table, *, first_row: int) -> None:
        """Check a piece of a file whose first row has this number (from 1).

        Raises
        ------
        DataError
            Naming rows and columns, at most 20.
        """
        found: list[tuple[int, str]] = []
        for column in self._columns:
            values = table.column(column.name)
            bad = dict(self._invalid_values(column, values))
            if bad:
                found += [
                    (row, f"{self._where}: row {first_row + row}: {column.name}: {bad[value]}")
                    for row, value in enumerate(values.to_pylist())
                    if value in bad
                ]
        if found:
            listed = "\n".join(said for _, said in sorted(found)[:_MAX_REPORTED_ERRORS])
            raise DataError(f"{listed}\n{self._where}: refused for {len(found)} values in this piece; mend the file")

    def _invalid_values(self, column: Column, values: Any) -> Iterator[tuple[Any, str]]:
        rules = self._checks[column.name]
        if not column.nullable and values.null_count:
            problem = check_value(column, rules, None, "")[1]
            yield None, "" if problem is None else problem.message
        if column.kind == "datetime":
            return  # typed by the reader; its checks are those of data sets
        if column.is_numeric and set(column.checks) <= NUMERIC_BOUND_CHECKS:
            ends = pc.min_max(values).as_py()
            if all(end is None or check_value(column, rules, end, "")[1] is None for end in ends.values()):
                return
        known = self._valid_values[column.name]
        for value in pc.unique(values).to_pylist():
            if value is None or value in known:
                continue
            problem = check_value(column, rules, value, "")[1]
            if problem is not None:
                yield value, problem.message
            elif len(known) < _MAX_CACHED_VALUES:
                known.add(value)
