"""Read rows to score from a file in batches, and check each value against its declaration."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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

    from pipeline.data.formats.typed_file import TypedFile
    from pipeline.data.part_rows import PartRows
    from pipeline.schema import Column, Schema

__all__ = [
    "MAX_LISTED_VALUES",
    "InvalidValue",
    "TableValidator",
    "count_file_rows",
    "part_column_names",
    "read_column_names",
    "read_file_tables",
    "read_part_tables",
]

_MAX_CACHED_VALUES = 100_000
MAX_LISTED_VALUES = 20
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
    yield from _read_declared(path if file is None else file, schema, ids, dialect=dialect, where=str(path))


def read_part_tables(
    rows: PartRows, schema: Schema, ids: tuple[str, ...], *, dialect: CsvDialect, first_row: int
) -> Iterator[pa.Table]:
    """Yield the rows of a part as `read_file_tables` does; errors count the rows of Parquet from `first_row`."""
    yield from _read_declared(rows.file, schema, ids, dialect=dialect, where=rows.address, first_row=first_row)


def part_column_names(rows: PartRows, schema: Schema, *, dialect: CsvDialect) -> list[str]:
    """Return the names of the columns of the file of a part; none where the header of a CSV file is invalid."""
    if isinstance(rows.file, Path):
        return read_header_names(rows.file, choose_file_dialect(rows.file, dialect, schema.accepted_names))
    return [*rows.file.names, *rows.file.set_aside]


def _read_declared(
    file: Path | TypedFile,
    schema: Schema,
    ids: tuple[str, ...],
    *,
    dialect: CsvDialect,
    where: str,
    first_row: int = 1,
) -> Iterator[pa.Table]:
    if isinstance(file, Path):
        dialect = choose_file_dialect(file, dialect, schema.accepted_names)
    names = read_header_names(file, dialect) if isinstance(file, Path) else list(file.names)
    if problems := name_problems(names, schema, path=where):
        raise to_data_error(problems)
    formats = {column.name: column.text_format for column in schema.features}
    given = {name: text_format for name, text_format in formats.items() if not names or name in names}
    notes = schema.private_notes
    for table in read_row_tables(file, given, dialect, ids=ids, where=where, private_notes=notes, first_row=first_row):
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


class InvalidValue(NamedTuple):
    """A value that breaks its declaration: its row (from 0), its column, and what was expected."""

    row: int
    column: str
    message: str


class TableValidator:
    """Checks the values of whole columns against their declaration, each distinct value once."""

    def __init__(self, schema: Schema) -> None:
        self._columns = schema.features
        self._constraints = {column.name: column.value_constraints for column in schema.features}
        self._valid_values: dict[str, set[Any]] = {column.name: set() for column in schema.features}

    def list_invalid(self, table: pa.Table) -> list[InvalidValue]:
        """Return the invalid values of a table, sorted by row."""
        invalid: list[InvalidValue] = []
        for column in self._columns:
            values = table.column(column.name)
            messages = dict(self._invalid_values(column, values))
            if messages:
                invalid += [
                    InvalidValue(row, column.name, messages[value])
                    for row, value in enumerate(values.to_pylist())
                    if value in messages
                ]
        return sorted(invalid)

    def check(self, table: pa.Table, *, where: str, first_row: int) -> None:
        """Check a batch of the file `where`, whose first row has this number (from 1).

        Raises
        ------
        DataError
            Naming rows and columns, at most 20.
        """
        invalid = self.list_invalid(table)
        if invalid:
            listed = "\n".join(
                f"{where}: row {first_row + value.row}: {value.column}: {value.message}"
                for value in invalid[:MAX_LISTED_VALUES]
            )
            n_invalid = pluralize(len(invalid), "invalid value")
            raise DataError(f"{listed}\n{where}: {n_invalid} in this batch; correct the file and try again")

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
