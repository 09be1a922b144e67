"""Read rows to score from a file in batches, and check each value against its declaration."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.file_formats import ROW_SUFFIXES, file_format
from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.cell_parsers import ARROW_TYPES
from pipeline.data.formats.readers import open_typed_file
from pipeline.data.input_problems import to_data_error
from pipeline.data.row_dialect import choose_file_dialect
from pipeline.data.row_tables import read_row_tables
from pipeline.data.scoring_file import name_problems, read_header_names
from pipeline.errors import DataError, UsageError
from pipeline.serving.rows.value_checks import check_read_value
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.data.formats.typed_file import TypedFile
    from pipeline.schema import Column, Schema

__all__ = ["TableValidator", "count_file_rows", "read_column_names", "read_file_tables"]

_MAX_CACHED_VALUES = 100_000
_MAX_REPORTED_ERRORS = 20
_DEFAULT_DIALECT = CsvDialect()


def read_file_tables(
    path: Path, schema: Schema, ids: tuple[str, ...], *, dialect: CsvDialect = _DEFAULT_DIALECT
) -> Iterator[pa.Table]:
    """Yield a file in batches: the features of the model with their declared types, and the columns `ids` as they are.

    Categories may be dictionaries of texts.
    A nullable feature that the file lacks is missing in each row; declared columns that are neither are left out.
    Ids of a CSV, JSON, Excel or SQLite file are texts, those of another file have its types.

    Raises
    ------
    DataError
        When the file cannot be read, lacks a column, has one that is not declared, or a value of another type.
    UsageError
        When no reader knows its format.
    """
    file = _open_typed(path, schema)
    if file is None:
        dialect = choose_file_dialect(path, dialect, schema.accepted_names)
    names = list(file.names) if file is not None else read_header_names(path, dialect)
    if problems := name_problems(names, schema, path=str(path)):
        raise to_data_error(problems)
    formats = {column.name: column.text_format for column in schema.features}
    given = {name: text_format for name, text_format in formats.items() if not names or name in names}
    for table in read_row_tables(
        path if file is None else file, given, dialect, ids=ids, where=str(path), private_notes=schema.private_notes
    ):
        absent = {
            name: pa.nulls(table.num_rows, ARROW_TYPES[text_format.kind])
            for name, text_format in formats.items()
            if name not in given
        }
        yield pa.table({name: absent[name] if name in absent else table[name] for name in (*ids, *formats)})


def count_file_rows(path: Path, schema: Schema) -> int | None:
    """Return how many rows a file has; None where they are not counted in advance, as in CSV."""
    file = _open_typed(path, schema)
    return None if file is None else file.n_rows


def read_column_names(path: Path, schema: Schema, *, dialect: CsvDialect = _DEFAULT_DIALECT) -> list[str]:
    """Return the names of the columns of a file.

    Raises
    ------
    UsageError
        When no reader knows its format.
    """
    file = _open_typed(path, schema)
    if file is None:
        return read_header_names(path, choose_file_dialect(path, dialect, schema.accepted_names))
    return [*file.names, *file.set_aside]


def _open_typed(path: Path, schema: Schema) -> TypedFile | None:
    if file_format(path.name) is None:
        raise UsageError(
            f"{path}: no reader knows this format; expected a file that ends with {', '.join(ROW_SUFFIXES)}"
        )
    return open_typed_file(path, schema.format_keys)


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
            error = check_read_value(column, constraints, None)[1]
            yield None, "" if error is None else error.message
        if column.kind == "datetime" and not constraints:
            return
        if column.is_numeric and all(constraint.interval is not None for constraint in constraints):
            extremes = pc.min_max(values).as_py()
            if all(
                value is None or check_read_value(column, constraints, value)[1] is None for value in extremes.values()
            ):
                return
        valid_values = self._valid_values[column.name]
        for value in pc.unique(values).to_pylist():
            if value is None or value in valid_values:
                continue
            given = value.isoformat() if isinstance(value, datetime) else value
            error = check_read_value(column, constraints, given)[1]
            if error is not None:
                yield value, error.message
            elif len(valid_values) < _MAX_CACHED_VALUES:
                valid_values.add(value)
