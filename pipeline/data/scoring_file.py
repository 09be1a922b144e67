"""Read rows to score: a nullable feature may be absent, other declared columns are optional."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.data.cell_parsers import ARROW_TYPES, to_frame
from pipeline.data.coercion import coerce_table
from pipeline.data.csv_check import check_csv, expectation
from pipeline.data.csv_reader import open_binary, read_column_names, read_csv
from pipeline.data.formats.readers import open_typed_file
from pipeline.data.formats.typed_file import read_all
from pipeline.data.input_problems import InputProblem, InputProblems, quote_shortened
from pipeline.data.row_dialect import choose_file_dialect
from pipeline.errors import DataError
from pipeline.schema import Column, Schema
from pipeline.schema.failures import list_failures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.data.formats.typed_file import TypedFile
    from pipeline.schema.failures import CellFailure

__all__ = ["ScoringRows", "name_problems", "read_header_names", "read_scoring_file"]

_MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class ScoringRows:
    """Rows to score, or the problems of their file; one of the two is empty."""

    frame: pd.DataFrame | None
    problems: tuple[InputProblem, ...] = ()


def read_scoring_file(path: Path, schema: Schema, dialect: CsvDialect) -> ScoringRows:
    """Return the rows of a file, in the format of its name, with every feature in its declared type.

    The file may have the other declared columns (an id, a time, the target) with any values; they are returned
    unchanged. A nullable feature that it lacks is missing in each row. The declared checks of single values apply to
    features.

    Raises
    ------
    DataError
        When the file cannot be read at all, or a file of another format than CSV has columns of other types.
    """
    if (file := open_typed_file(path, schema.format_keys)) is not None:
        return _read_typed(file, path, schema)
    dialect = choose_file_dialect(path, dialect, schema.accepted_names)
    names = read_header_names(path, dialect)
    if problems := name_problems(names, schema, path=str(path)):
        return ScoringRows(None, problems)
    file_schema = _file_schema(schema, names)
    if csv_problems := tuple(check_csv(path, file_schema, dialect, with_target=False)):
        return ScoringRows(None, csv_problems)
    return ScoringRows(_with_absent_features(read_csv(path, file_schema, dialect, with_target=False), schema))


def read_header_names(path: Path, dialect: CsvDialect) -> list[str]:
    """Return the names of the columns of a CSV file; none where its header is invalid, which the reader reports.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    with open_binary(path) as stream:
        return read_column_names(stream, dialect)


def name_problems(names: Sequence[str], schema: Schema, *, path: str) -> tuple[InputProblem, ...]:
    """Return the names of columns that are not declared, and the features that must be there and are not.

    None where `names` is empty, or has one name that is not declared and a feature must be there: then the delimiter is
    another, which the reader explains.
    """
    is_other_delimiter = len(names) == 1 and names[0] not in schema.accepted_names
    if not names or (is_other_delimiter and not all(column.nullable for column in schema.features)):
        return ()
    problems = InputProblems(path, private_notes=schema.private_notes)
    for number, name in enumerate(names, start=1):
        if name not in schema.accepted_names:
            problems.add(1, number, "header", quote_shortened(name), schema.unknown_name_message(name))
    for column in schema.features:
        if not column.nullable and column.name not in names:
            problems.add(1, column.name, "header", "missing", f"expected {column.expected}, and not null")
    return tuple(problems.items)


def _file_schema(schema: Schema, names: Sequence[str]) -> Schema:
    """Return the declaration of the file: the features and the other declared columns that it has."""
    target = Column(schema.target.column, "text", "string", nullable=True, role="ignore")
    other_names = [column.name for column in (*schema.columns, target) if column.role != "feature"]
    others = [Column(name, "text", "string", nullable=True, role="ignore") for name in other_names if name in names]
    return Schema(schema.name, (*_present_features(schema, names), *others), schema.target)


def _present_features(schema: Schema, names: Sequence[str]) -> tuple[Column, ...]:
    """Return the features that a file has, or should have; scoring does not ask whether values are unique."""
    required = [column for column in schema.features if not names or column.name in names or not column.nullable]
    return tuple(replace(column, unique=False) for column in required)


def _with_absent_features(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the frame with each feature that it lacks as missing values, the features first."""
    import pyarrow as pa

    absent = {
        column.name: pa.nulls(len(frame), ARROW_TYPES[column.kind])
        for column in schema.features
        if column.name not in frame
    }
    others = [name for name in frame if name not in schema.feature_names]
    if not absent:
        return frame[[*schema.feature_names, *others]]
    return frame.join(to_frame(pa.table(absent)))[[*schema.feature_names, *others]]


def _read_typed(file: TypedFile, path: Path, schema: Schema) -> ScoringRows:
    if problems := name_problems(file.names, schema, path=path.name):
        return ScoringRows(None, problems)
    table = read_all(file, file.names)
    if not table.num_rows:
        raise DataError(f"{path.name}: has no rows; expected at least one")
    features = Schema(schema.name, _present_features(schema, file.names), schema.target)
    formats = {column.name: column.text_format for column in features.columns}
    notes = schema.private_notes
    frame = to_frame(coerce_table(table, formats, where=path.name, private_notes=notes, holds_cells=file.holds_cells))
    failures = list_failures(frame, features, with_target=False)[:_MAX_PROBLEMS]
    if failures:
        return ScoringRows(None, tuple(_cell_problem(path, schema, failure) for failure in failures))
    feature_names = set(schema.feature_names)
    other_names = [name for name in table.column_names if name not in feature_names]
    frame = frame.assign(**{name: table.column(name).to_pandas() for name in other_names})
    return ScoringRows(_with_absent_features(frame, schema))


def _cell_problem(path: Path, schema: Schema, failure: CellFailure) -> InputProblem:
    value = "an empty cell" if failure.value is None else quote_shortened(failure.value)
    return InputProblem(path.name, failure.row + 1, failure.column, failure.rule, value, expectation(schema, failure))
