"""Count the values of one column batch by batch; the counts of parts of a table add up to those of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema.value_groups import MIN_GROUP_ROWS, group_values
from pipeline.validation.arrow_rows import is_missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.schema import ColumnKind

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["ColumnAccumulator", "ColumnStats"]

_MAX_DISTINCT_VALUES = 2_000


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


class ColumnAccumulator:
    """The statistics of one column so far.

    Parameters
    ----------
    name, kind
        As declared.
    n_classes : int
        Classes of the target.
    stride : int
        Distance of the rows whose numbers are in the sample, in rows of the whole table.
    """

    def __init__(self, name: str, kind: ColumnKind, *, n_classes: int, stride: int) -> None:
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
        """Count the values of a batch; `start` is the number of its first row in the whole table."""
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
        n_words, width = len(encoded.dictionary), self.n_classes + 1
        indices = np.asarray(encoded.indices.fill_null(n_words), dtype=np.int64)
        used = np.flatnonzero(np.bincount(indices, minlength=n_words + 1)[:-1])
        if len(used) > _MAX_DISTINCT_VALUES:
            return None
        table = np.bincount(indices * width + codes, minlength=(n_words + 1) * width).reshape(-1, width)
        for value, counts in zip(encoded.dictionary.take(pa.array(used)).to_pylist(), table[used], strict=True):
            if value is not None:
                by_value[value] = by_value.get(value, 0) + counts
        return by_value if len(by_value) <= _MAX_DISTINCT_VALUES else None

    def _add_numbers(self, array: pa.Array, codes: Ints, start: int) -> None:
        numbers = array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array
        if pa.types.is_floating(numbers.type):
            numbers = pc.if_else(pc.is_finite(numbers), numbers, None)  # infinity has neither a mean nor a bin
        bounds = pc.min_max(numbers)
        if bounds["min"].is_valid:
            self._widen(float(bounds["min"].as_py()) + 0.0, float(bounds["max"].as_py()) + 0.0)  # -0.0 becomes 0.0
        offset = -start % self.stride
        picked = numbers.slice(offset).take(pa.array(np.arange(0, max(len(numbers) - offset, 0), self.stride)))
        is_present = ~is_missing(picked)
        self.samples.append(np.asarray(picked.fill_null(0), dtype=np.float64)[is_present])
        self.sample_classes.append(codes[offset :: self.stride][is_present])

    def _widen(self, low: float, high: float) -> None:
        self.low = low if self.low is None else min(low, self.low)
        self.high = high if self.high is None else max(high, self.high)

    def merge(self, following: ColumnAccumulator) -> None:
        """Add the counts of the rows that follow."""
        self.n_missing += following.n_missing
        self.rows_by_class += following.rows_by_class
        self.missing_by_class += following.missing_by_class
        self.counts_by_value = self._merge_values(following.counts_by_value)
        self.samples += following.samples
        self.sample_classes += following.sample_classes
        if following.low is not None and following.high is not None:
            self._widen(following.low, following.high)

    def _merge_values(self, following: dict[Any, Ints] | None) -> dict[Any, Ints] | None:
        by_value = self.counts_by_value
        if by_value is None or following is None:
            return None
        for value, counts in following.items():
            by_value[value] = by_value.get(value, 0) + counts
        return by_value if len(by_value) <= _MAX_DISTINCT_VALUES else None

    def to_stats(self, n_rows: int, *, is_private: bool) -> ColumnStats:
        """Return the statistics of the whole table of `n_rows` rows."""
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
            is_private=is_private,
        )

    def _sorted_values(self) -> tuple[tuple[Any, ...] | None, Ints]:
        if self.counts_by_value is None:
            return None, np.zeros((0, self.n_classes + 1), dtype=np.int64)
        values = tuple(sorted(self.counts_by_value))
        rows = [self.counts_by_value[value] for value in values]
        return values, np.array(rows, dtype=np.int64).reshape(len(values), self.n_classes + 1)
