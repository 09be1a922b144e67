"""Count rows by bin: features, and predictions where the rows have them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.cell_parsers import ARROW_TYPES
from pipeline.data.row_dialect import choose_file_dialect
from pipeline.data.row_tables import read_row_tables
from pipeline.data.scoring_file import read_header_names
from pipeline.errors import DataError
from pipeline.modeling.classifier import predicted_codes
from pipeline.monitoring.log import BinCounts, count_frame
from pipeline.schema import TextFormat

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.data.part_rows import PartRows
    from pipeline.package import Package

__all__ = ["count_part_rows"]


@dataclass(frozen=True, slots=True)
class _Outputs:
    """Values of predictions, None where they are unknown."""

    score: Any = None
    confidence: Any = None
    predicted: Any = None


def count_part_rows(package: Package, rows: PartRows, *, predicts: bool, first_row: int) -> BinCounts:
    """Return the counts of the rows of a part in the bins of a package.

    A feature that the file lacks is a problem of that feature, and refuses no row. Columns `prediction`, `confidence`
    and `probability_<class>`, as `mlops predict` writes them, are counted as predictions. All others are left out.

    Parameters
    ----------
    package : Package
    rows : PartRows
    predicts : bool
        Whether the package predicts the rows; predictions of the file are left out then.
    first_row : int
        Number of the first row of a Parquet part in errors.

    Raises
    ------
    DataError
        When the file has no column to count, or a value of another type than is declared.
    """
    schema, file = package.schema, rows.file
    dialect = CsvDialect.from_settings(schema.dialect)
    if isinstance(file, Path):
        output_names = _output_formats(package)
        dialect = choose_file_dialect(file, dialect, {*schema.accepted_names, *output_names})
        names = read_header_names(file, dialect)
    else:
        names = list(file.names)
    formats = _formats(package, names, predicts=predicts)
    if names and not formats:
        expected = ", ".join(schema.feature_names)
        raise DataError(f"{rows.address}: has no column of the model; expected some of {expected}")
    tables = read_row_tables(
        file, formats, dialect, where=rows.address, private_notes=schema.private_notes, first_row=first_row
    )
    return reduce(BinCounts.merge, (_count_table(package, table, predicts=predicts) for table in tables))


def _output_formats(package: Package) -> dict[str, TextFormat]:
    """Return how the columns of predictions are read, without names that are declared for something else."""
    floats = ("confidence", *_probability_names(package))
    formats = {"prediction": TextFormat("category"), **dict.fromkeys(floats, TextFormat("float"))}
    return {name: text_format for name, text_format in formats.items() if name not in package.schema.accepted_names}


def _probability_names(package: Package) -> list[str]:
    return [f"probability_{name}" for name in package.classes]


def _formats(package: Package, names: Collection[str], *, predicts: bool) -> dict[str, TextFormat]:
    features = {column.name: column.text_format for column in package.schema.features}
    formats = features if predicts else {**features, **_output_formats(package)}
    return {name: text_format for name, text_format in formats.items() if name in names}


def _count_table(package: Package, table: pa.Table, *, predicts: bool) -> BinCounts:
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    features = {name: columns[name] for name in package.schema.feature_names if name in columns}
    outputs = _predict(package, features, table.num_rows) if predicts else _read_outputs(package, columns)
    return count_frame(
        package.reference,
        features,
        n_rows=table.num_rows,
        score=outputs.score,
        confidence=outputs.confidence,
        predicted=outputs.predicted,
    )


def _read_outputs(package: Package, columns: Mapping[str, Any]) -> _Outputs:
    given = {name: columns[name] for name in _output_formats(package) if name in columns}
    names = _probability_names(package)
    positive = package.schema.target.positive
    if positive is not None:
        score = given.get(f"probability_{positive}")
    else:
        score = pc.max_element_wise(*map(given.get, names)) if set(names) <= set(given) else None
    return _Outputs(score, given.get("confidence"), given.get("prediction"))


def _predict(package: Package, features: Mapping[str, Any], n_rows: int) -> _Outputs:
    """Return the predictions of rows; a nullable feature that they lack is missing in each."""
    absent = {
        column.name: pa.nulls(n_rows, ARROW_TYPES[column.kind])
        for column in package.schema.features
        if column.nullable and column.name not in features
    }
    rows, target = {**features, **absent}, package.schema.target
    probabilities = package.predict_proba(rows)
    codes = predicted_codes(probabilities, target, package.row_thresholds(rows))
    confidence = probabilities.max(axis=1)
    score = confidence if target.positive is None else probabilities[:, target.classes.index(target.positive)]
    return _Outputs(score, confidence, np.array(target.classes)[codes])
