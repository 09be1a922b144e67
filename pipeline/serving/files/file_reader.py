"""Read rows to score from a file in batches, and check each value against its declaration."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.file_formats import ROW_SUFFIXES, file_format
from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.cell_parsers import ARROW_TYPES
from pipeline.data.coercion import coerce_table
from pipeline.data.csv_reader import iter_csv_tables
from pipeline.data.formats.arrow_files import open_parquet
from pipeline.data.formats.readers import open_typed_file
from pipeline.data.input_problems import to_data_error
from pipeline.data.row_dialect import choose_file_dialect
from pipeline.data.scoring_file import name_problems, read_header_names
from pipeline.errors import DataError, UsageError
from pipeline.schema import TextFormat
from pipeline.serving.rows.value_checks import check_read_value
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.data.formats.typed_file import TypedFile
    from pipeline.schema import Column, Schema
    from pipeline.storage import StoragePath

__all__ = [
    "MAX_LISTED_VALUES",
    "InvalidValue",
    "TableValidator",
    "count_file_rows",
    "read_column_names",
    "read_file_tables",
    "read_row_groups",
]

_MAX_CACHED_VALUES = 100_000
MAX_LISTED_VALUES = 20
_DEFAULT_DIALECT = CsvDialect()
_ID_FORMAT = TextFormat("text")  # an id of another type than the declared one refuses no row


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
    formats = _given_formats(names, schema, where=str(path))
    if file is None:
        all_formats = {**dict.fromkeys(ids, _ID_FORMAT), **formats}
        tables = iter_csv_tables(path, all_formats, dialect, private_notes=schema.private_notes)
    else:
        tables = _read_typed(file, formats, ids, where=str(path), private_notes=schema.private_notes)
    yield from _with_absent_features(tables, schema, ids, given=formats)


def read_row_groups(
    path: StoragePath, schema: Schema, ids: tuple[str, ...], *, row_groups: Sequence[int], first_row: int
) -> Iterator[pa.Table]:
    """Yield row groups of a Parquet file as `read_file_tables` does; errors count rows from `first_row`.

    Raises
    ------
    UnreadableFile
        When the file is damaged.
    DataError
        When it lacks a column, has one that is not declared, or a value of another type.
    """
    file = open_parquet(path, row_groups=row_groups)
    formats = _given_formats(file.names, schema, where=str(path))
    notes = schema.private_notes
    tables = _read_typed(file, formats, ids, where=str(path), private_notes=notes, first_row=first_row)
    yield from _with_absent_features(tables, schema, ids, given=formats)


def _given_formats(names: Sequence[str], schema: Schema, *, where: str) -> dict[str, TextFormat]:
    """Return the formats of the features that a file has; a file with other columns is refused."""
    if problems := name_problems(names, schema, path=where):
        raise to_data_error(problems)
    return {column.name: column.text_format for column in schema.features if not names or column.name in names}


def _with_absent_features(
    tables: Iterator[pa.Table], schema: Schema, ids: tuple[str, ...], *, given: Collection[str]
) -> Iterator[pa.Table]:
    for table in tables:
        absent = {
            column.name: pa.nulls(table.num_rows, ARROW_TYPES[column.kind])
            for column in schema.features
            if column.name not in given
        }
        names = (*ids, *schema.feature_names)
        yield pa.table({name: absent[name] if name in absent else table[name] for name in names})


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


def _read_typed(
    file: TypedFile,
    formats: dict[str, TextFormat],
    ids: tuple[str, ...],
    *,
    where: str,
    private_notes: Mapping[str, str],
    first_row: int = 1,
) -> Iterator[pa.Table]:
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
