"""Collect the statistics of all checks in one pass over the rows, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema.value_groups import MIN_GROUP_ROWS, group_values
from pipeline.validation.arrow_rows import is_missing
from pipeline.validation.row_hash import count_duplicates, row_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.schema import ColumnKind, Schema, Target
    from pipeline.validation.arrow_rows import ArrowRows

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["ColumnStats", "DatasetStats", "collect_stats"]

_MAX_DISTINCT_VALUES = 2_000
_MAX_SAMPLE_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class ColumnStats:
    """Statistics of one column.

    Attributes
    ----------
    name, kind
        As declared.
    n_rows, n_missing : int
    values : tuple or None
        The distinct values, sorted; None where there are more than 2,000.
    counts_by_class : int, shape (len(values), n_classes + 1)
        Rows with each value by class; the last column counts rows without a known class.
    present_by_class, missing_by_class : int, shape (n_classes + 1,)
        Rows with a value and rows without one by class, likewise; of all rows.
    sample : float, shape (at most 200,000,)
        Numbers (dates as microseconds) of evenly spaced rows, sorted; empty for texts. All rows, up to 200,000.
    sample_classes : int
        Class of each member of `sample`, -1 where it has none.
    low, high : float or None
        Extremes over all rows; like `sample`, without infinity.
    is_private : bool
        Whether reports must not show the value of a single row.
    """

    name: str
    kind: ColumnKind
    n_rows: int
    n_missing: int
    values: tuple[Any, ...] | None
    counts_by_class: Ints
    present_by_class: Ints
    missing_by_class: Ints
    sample: Floats
    sample_classes: Ints
    low: float | None
    high: float | None
    is_private: bool = False

    @property
    def shown_sample(self) -> Floats:
        """The sample that reports may show: of a private column the levels of groups of rows, none of too few rows."""
        if not self.is_private:
            return self.sample
        groups = group_values(self.sample)
        return groups.replace(self.sample) if groups.levels else self.sample[:0]

    @property
    def shown_range(self) -> tuple[float | None, float | None]:
        """The extremes that reports may show."""
        if not self.is_private:
            return self.low, self.high
        shown = self.shown_sample
        return (float(shown[0]), float(shown[-1])) if len(shown) else (None, None)

    @property
    def shown_values(self) -> tuple[bool, ...]:
        """Which of `values` reports may show: of a private column those that several rows have."""
        return tuple(not self.is_private or count >= MIN_GROUP_ROWS for count in self.counts.tolist())

    @property
    def counts(self) -> Ints:
        """Rows with each of `values`."""
        return np.asarray(self.counts_by_class.sum(axis=1), dtype=np.int64)

    @property
    def n_distinct(self) -> int | None:
        """The number of distinct values; None where it exceeds 2,000."""
        return None if self.values is None else len(self.values)

    @property
    def is_constant(self) -> bool:
        """Whether all rows have one value, or none; a value beside missing ones makes a difference."""
        return self.n_missing == self.n_rows or (self.n_distinct == 1 and not self.n_missing)


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


class _ColumnAccumulator:
    """The statistics of one column so far."""

    def __init__(self, name: str, kind: ColumnKind, n_classes: int, stride: int) -> None:
        self.name, self.kind = name, kind
        self.n_classes, self.stride = n_classes, stride
        self.n_missing = 0
        self.rows_by_class = np.zeros(n_classes + 1, dtype=np.int64)
        self.missing_by_class = np.zeros(n_classes + 1, dtype=np.int64)
        self.counts_by_value: dict[Any, Ints] | None = {}
        self.samples: list[Floats] = []
        self.sample_classes: list[Ints] = []
        self.low: float | None = None
        self.high: float | None = None

    def add(self, array: pa.Array, codes: Ints, start: int) -> None:
        self.n_missing += array.null_count
        self.rows_by_class += np.bincount(codes, minlength=self.n_classes + 1)
        if array.null_count:
            self.missing_by_class += np.bincount(codes[is_missing(array)], minlength=self.n_classes + 1)
        if self.counts_by_value is not None:
            self.counts_by_value = self._add_values(self.counts_by_value, array, codes)
        if not pa.types.is_dictionary(array.type) and not pa.types.is_boolean(array.type):
            self._add_numbers(array, codes, start)

    def _add_values(self, by_value: dict[Any, Ints], array: pa.Array, codes: Ints) -> dict[Any, Ints] | None:
        """Return `by_value` with the counts of a batch, or None when there are too many different values."""
        encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        values = encoded.dictionary.to_pylist()
        if len(values) > 4 * _MAX_DISTINCT_VALUES:
            return None
        width = self.n_classes + 1
        indices = np.asarray(encoded.indices.fill_null(len(values)), dtype=np.int64)
        table = np.bincount(indices * width + codes, minlength=(len(values) + 1) * width).reshape(-1, width)
        for value, counts in zip(values, table[:-1], strict=True):
            if value is not None and counts.any():
                by_value[value] = by_value.get(value, 0) + counts
        return by_value if len(by_value) <= _MAX_DISTINCT_VALUES else None

    def _add_numbers(self, array: pa.Array, codes: Ints, start: int) -> None:
        numbers = array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array
        if pa.types.is_floating(numbers.type):
            numbers = pc.if_else(pc.is_finite(numbers), numbers, None)  # infinity has neither a mean nor a bin
        bounds = pc.min_max(numbers)
        if bounds["min"].is_valid:
            low, high = float(bounds["min"].as_py()), float(bounds["max"].as_py())
            self.low = low if self.low is None else min(low, self.low)
            self.high = high if self.high is None else max(high, self.high)
        offset = -start % self.stride
        picked = numbers.slice(offset).take(pa.array(np.arange(0, max(len(numbers) - offset, 0), self.stride)))
        is_present = ~is_missing(picked)
        self.samples.append(np.asarray(picked.fill_null(0), dtype=np.float64)[is_present])
        self.sample_classes.append(codes[offset :: self.stride][is_present])

    def to_stats(self, n_rows: int) -> ColumnStats:
        values, by_class = self._sorted_values()
        sample = np.concatenate(self.samples) if self.samples else np.empty(0)
        classes = np.concatenate(self.sample_classes) if self.samples else np.empty(0, dtype=np.int64)
        order = np.argsort(sample, kind="stable")
        classes = np.where(classes == self.n_classes, -1, classes)[order]
        return ColumnStats(
            name=self.name,
            kind=self.kind,
            n_rows=n_rows,
            n_missing=self.n_missing,
            values=values,
            counts_by_class=by_class,
            present_by_class=self.rows_by_class - self.missing_by_class,
            missing_by_class=self.missing_by_class,
            sample=sample[order],
            sample_classes=classes,
            low=self.low,
            high=self.high,
        )

    def _sorted_values(self) -> tuple[tuple[Any, ...] | None, Ints]:
        if self.counts_by_value is None:
            return None, np.zeros((0, self.n_classes + 1), dtype=np.int64)
        values = tuple(sorted(self.counts_by_value))
        rows = [self.counts_by_value[value] for value in values]
        return values, np.array(rows, dtype=np.int64).reshape(len(values), self.n_classes + 1)


def collect_stats(rows: ArrowRows, schema: Schema) -> DatasetStats:
    """Return the counts of all declared columns that can be read."""
    target = schema.target
    features = [name for name in schema.feature_names if name in rows.kinds]
    skipped = {column.name for column in schema.columns if column.role in ("id", "ignore", "weight")}
    compared = [name for name in rows.kinds if name not in skipped]
    stride = max(1, -(-rows.n_rows // _MAX_SAMPLE_ROWS))
    accumulators = [_ColumnAccumulator(name, kind, len(target.classes), stride) for name, kind in rows.kinds.items()]
    classes = np.zeros(len(target.classes) + 1, dtype=np.int64)
    hashes = np.empty(rows.n_rows, dtype=np.uint64)
    incomplete, start = 0, 0
    for batch in rows.batches():
        codes = _class_codes(batch, target)
        classes += np.bincount(codes, minlength=len(classes))
        for accumulator in accumulators:
            accumulator.add(batch.column(accumulator.name), codes, start)
        incomplete += _count_incomplete(batch, features)
        hashes[start : start + len(batch)] = row_hashes(batch, compared)
        start += len(batch)
    private = {column.name for column in schema.columns if column.is_private}
    columns = tuple(
        replace(accumulator.to_stats(rows.n_rows), is_private=accumulator.name in private)
        for accumulator in accumulators
    )
    return DatasetStats(rows.n_rows, columns, classes[:-1], incomplete, count_duplicates(hashes))


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
