"""Read rows to score: features are required, other declared columns are optional."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.data.coercion import coerce_to_schema
from pipeline.data.csv_check import check_csv
from pipeline.data.csv_reader import read_csv
from pipeline.data.input_problems import InputProblem, quote_shortened
from pipeline.errors import DataError
from pipeline.schema import Column, Schema
from pipeline.schema.failures import list_failures

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from pipeline.config.groups.data_config import CsvDialect

__all__ = ["ScoringRows", "read_scoring_file"]

_MAX_HEADER_BYTES = 1 << 20
_MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class ScoringRows:
    """Rows to score, or the problems of their file; one of the two is empty."""

    frame: pd.DataFrame | None
    problems: tuple[InputProblem, ...] = ()


def read_scoring_file(path: Path, schema: Schema, dialect: CsvDialect) -> ScoringRows:
    """Return the rows of a CSV or Parquet file (by its suffix) with every feature in its declared type.

    The file may have the other declared columns (an id, a time, the target) with any values; they are returned
    unchanged. The declared checks of single values apply to features.

    Raises
    ------
    DataError
        When the file cannot be read at all, or a Parquet file has columns of other types.
    """
    if path.suffix == ".parquet":
        return _read_parquet(path, schema)
    file_schema = _file_schema(schema, _read_header_names(path, dialect.delimiter))
    problems = tuple(check_csv(path, file_schema, dialect, with_target=False))
    if problems:
        return ScoringRows(None, problems)
    return ScoringRows(read_csv(path, file_schema, dialect, with_target=False))


def _file_schema(schema: Schema, present: set[str]) -> Schema:
    """Return the declaration of the file: each feature, and the other declared columns that it has."""
    target = Column(schema.target.column, "text", "string", nullable=True, role="ignore")
    names = [column.name for column in (*schema.columns, target) if column.role != "feature"]
    others = {name: Column(name, "text", "string", nullable=True, role="ignore") for name in names if name in present}
    features = tuple(replace(column, unique=False) for column in schema.features)
    return Schema(schema.name, (*features, *others.values()), schema.target)


def _read_header_names(path: Path, delimiter: str) -> set[str]:
    try:
        with path.open("rb") as stream:
            header = stream.readline(_MAX_HEADER_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror}") from error
    return {name.strip('"') for name in header.lstrip("\ufeff").rstrip("\r\n").split(delimiter)}


def _read_parquet(path: Path, schema: Schema) -> ScoringRows:
    table = _read_parquet_table(path)
    features = Schema(schema.name, tuple(replace(column, unique=False) for column in schema.features), schema.target)
    other_names = [name for name in table.column_names if name not in schema.feature_names]
    completed = _with_empty_target(table, schema)
    frame = coerce_to_schema(completed, features, where=path.name).drop(columns=[schema.target.column])
    failures = list_failures(frame, features, with_target=False)[:_MAX_PROBLEMS]
    if failures:
        return ScoringRows(
            None,
            tuple(
                InputProblem(
                    path.name,
                    failure.row + 1,
                    failure.column,
                    failure.rule,
                    "an empty cell" if failure.value is None else quote_shortened(failure.value),
                    "the value breaks a declared check",
                )
                for failure in failures
            ),
        )
    return ScoringRows(frame.assign(**{name: table.column(name).to_pandas() for name in other_names}))


def _with_empty_target(table: pa.Table, schema: Schema) -> pa.Table:
    """Return the features of a table and an empty target, which `coerce_to_schema` requires."""
    import pyarrow as pa

    features = table.select([name for name in schema.feature_names if name in table.column_names])
    return features.append_column(schema.target.column, pa.nulls(table.num_rows, pa.string()))


def _read_parquet_table(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: not a readable Parquet file ({' '.join(str(error).split())[:200]})") from error
