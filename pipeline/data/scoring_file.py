"""Read rows that ask for a prediction: features are needed, other declared columns may come along."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.data.coerce import coerce_to_schema
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
    """Rows to predict, or what is wrong with their file: one of the two is empty."""

    frame: pd.DataFrame | None
    problems: tuple[InputProblem, ...] = ()


def read_scoring_file(path: Path, schema: Schema, dialect: CsvDialect) -> ScoringRows:
    """Return the rows of a CSV or Parquet file (by its ending) with every feature in its declared form.

    A column that is declared and no feature (an id, a time, the target) may be in the file or not, with any
    values; it is kept as it is. Declared rules about single values are held against features.

    Raises
    ------
    DataError
        When the file cannot be read at all, or a Parquet file has columns of other types.
    """
    if path.suffix == ".parquet":
        return _read_parquet(path, schema)
    wanted = _file_schema(schema, _read_header_names(path, dialect.delimiter))
    problems = tuple(check_csv(path, wanted, dialect, with_target=False))
    return ScoringRows(None, problems) if problems else ScoringRows(read_csv(path, wanted, dialect, with_target=False))


def _file_schema(schema: Schema, present: set[str]) -> Schema:
    """Return the declaration of the file: each feature, and the other declared columns that it has."""
    target = Column(schema.target.column, "text", "string", nullable=True, role="ignore")
    others = [one for one in (*schema.columns, target) if one.role != "feature" and one.name in present]
    kept = {one.name: Column(one.name, "text", "string", nullable=True, role="ignore") for one in others}
    features = tuple(replace(one, unique=False) for one in schema.features)
    return Schema(schema.name, (*features, *kept.values()), schema.target)


def _read_header_names(path: Path, delimiter: str) -> set[str]:
    try:
        with path.open("rb") as stream:
            first = stream.readline(_MAX_HEADER_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror}") from error
    return {name.strip('"') for name in first.lstrip("\ufeff").rstrip("\r\n").split(delimiter)}


def _read_parquet(path: Path, schema: Schema) -> ScoringRows:
    table = _read_parquet_table(path)
    features = Schema(schema.name, tuple(replace(one, unique=False) for one in schema.features), schema.target)
    rest = [name for name in table.column_names if name not in schema.feature_names]
    given = _with_empty_target(table, schema)
    frame = coerce_to_schema(given, features, where=path.name).drop(columns=[schema.target.column])
    found = list_failures(frame, features, with_target=False)[:_MAX_PROBLEMS]
    if found:
        said = "the declaration of the column does not allow it"
        return ScoringRows(
            None,
            tuple(
                InputProblem(
                    path.name,
                    one.row + 1,
                    one.column,
                    one.rule,
                    "an empty cell" if one.value is None else quote_shortened(one.value),
                    said,
                )
                for one in found
            ),
        )
    return ScoringRows(frame.assign(**{name: table.column(name).to_pandas() for name in rest}))


def _with_empty_target(table: pa.Table, schema: Schema) -> pa.Table:
    """Return the features of a table and an empty target, which `conform` asks for."""
    import pyarrow as pa

    kept = table.select([name for name in schema.feature_names if name in table.column_names])
    return kept.append_column(schema.target.column, pa.nulls(table.num_rows, pa.string()))


def _read_parquet_table(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: not a readable Parquet file ({' '.join(str(error).split())[:200]})") from error
