"""Count a table batch by batch for all statistical rules; the counts of its parts add up to those of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.validation.arrow_rows import is_missing
from pipeline.validation.column_stats import ColumnAccumulator
from pipeline.validation.hash_ranges import HashRanges, count_repeats
from pipeline.validation.row_hash import row_hashes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.schema import ColumnKind, Schema, Target
    from pipeline.validation.arrow_rows import ArrowRows
    from pipeline.validation.column_stats import ColumnStats

    Ints = NDArray[np.int64]

__all__ = ["DatasetAccumulator", "DatasetStats", "collect_stats", "compared_columns"]

_MAX_SAMPLE_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class DatasetStats:
    """Counts of a whole table.

    `n_incomplete` counts rows with a missing feature, `n_duplicates` rows that repeat an earlier row in every
    declared column but ids, `class_counts` the rows of each declared class.
    """

    n_rows: int
    columns: tuple[ColumnStats, ...]
    class_counts: Ints
    n_incomplete: int
    n_duplicates: int

    def column(self, name: str) -> ColumnStats:
        """Return the statistics of one column; KeyError when there are none."""
        return {column.name: column for column in self.columns}[name]


class DatasetAccumulator:
    """The counts of a table so far, or of one part of it.

    Parameters
    ----------
    kinds : mapping
        Kind of each column that can be read in every part, in order.
    schema : Schema
    n_total : int
        Rows of the whole table.
    """

    def __init__(self, kinds: Mapping[str, ColumnKind], schema: Schema, *, n_total: int) -> None:
        self._schema, self.n_total = schema, n_total
        self._features = [name for name in schema.feature_names if name in kinds]
        n_classes = len(schema.target.classes)
        stride = max(1, -(-n_total // _MAX_SAMPLE_ROWS))
        self.columns = [
            ColumnAccumulator(name, kind, n_classes=n_classes, stride=stride) for name, kind in kinds.items()
        ]
        self.class_counts = np.zeros(n_classes + 1, dtype=np.int64)
        self.n_incomplete = 0

    def add(self, batch: pa.RecordBatch, start: int) -> None:
        """Count the rows of a batch; `start` is the number of its first row in the whole table."""
        codes = _class_codes(batch, self._schema.target)
        self.class_counts += np.bincount(codes, minlength=len(self.class_counts))
        for column in self.columns:
            column.add(batch.column(column.name), codes, start)
        self.n_incomplete += _count_incomplete(batch, self._features)

    def merge(self, following: DatasetAccumulator) -> None:
        """Add the counts of the rows that follow."""
        self.class_counts += following.class_counts
        self.n_incomplete += following.n_incomplete
        for column, next_column in zip(self.columns, following.columns, strict=True):
            column.merge(next_column)

    def to_stats(self, *, n_duplicates: int) -> DatasetStats:
        """Return the statistics of the whole table, in which `n_duplicates` rows repeat an earlier one."""
        private = {column.name for column in self._schema.columns if column.is_private}
        columns = tuple(column.to_stats(self.n_total, is_private=column.name in private) for column in self.columns)
        return DatasetStats(self.n_total, columns, self.class_counts[:-1], self.n_incomplete, n_duplicates)


def compared_columns(kinds: Mapping[str, ColumnKind], schema: Schema) -> list[str]:
    """Return the columns whose values make two rows equal: all that can be read but ids, ignored ones and weights."""
    skipped = {column.name for column in schema.columns if column.role in ("id", "ignore", "weight")}
    return [name for name in kinds if name not in skipped]


def collect_stats(rows: ArrowRows, schema: Schema) -> DatasetStats:
    """Return the counts of all declared columns that can be read, in memory that does not grow with the rows."""
    compared = compared_columns(rows.kinds, schema)
    accumulator = DatasetAccumulator(rows.kinds, schema, n_total=rows.n_rows)
    with HashRanges() as hashes:
        start = 0
        for batch in rows.batches():
            accumulator.add(batch, start)
            hashes.add(row_hashes(batch, compared))
            start += len(batch)
        n_duplicates = sum(count_repeats(some_hashes) for some_hashes, _ in hashes.ranges())
    return accumulator.to_stats(n_duplicates=n_duplicates)


def _class_codes(batch: pa.RecordBatch, target: Target) -> Ints:
    """Return the position of each row's class, and the number of classes where it has none of them."""
    n_classes = len(target.classes)
    if target.column not in batch.schema.names:
        return np.full(len(batch), n_classes, dtype=np.int64)
    array = batch.column(target.column)
    known = {name: code for code, name in enumerate(target.classes)}
    lookup = np.array([known.get(value, n_classes) for value in array.dictionary.to_pylist()] + [n_classes])
    return np.asarray(lookup[np.asarray(array.indices.fill_null(len(lookup) - 1))], dtype=np.int64)


def _count_incomplete(batch: pa.RecordBatch, features: list[str]) -> int:
    missing = np.zeros(len(batch), dtype=bool)
    for name in features:
        if batch.column(name).null_count:
            missing |= is_missing(batch.column(name))
    return int(np.count_nonzero(missing))
