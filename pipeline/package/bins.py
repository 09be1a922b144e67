"""Count values in fixed bins, so that counts of different rows add up."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.errors import DataError
from pipeline.schema.column_values import to_float64

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.package.text_measures import TextMeasure

    Floats = NDArray[np.float64]

__all__ = ["Bins", "to_floats"]

_CHUNK_ROWS = 1 << 16
_MIN_FAST_NUMBERS = 20_000
_BUCKETS_PER_EDGE = 8
_MIN_SPREAD_SHARE = 0.1  # of the training rows with a value; fewer do not determine the spread
_NORMAL_QUARTILE_RANGE = 1.349  # interquartile range of a normal column in standard deviations
_MAX_DIGITS = 17  # they distinguish any two numbers of 64 bits


@dataclass(frozen=True)  # without slots: what follows from the bins is computed once
class Bins:
    """The bins of one column, and how many training rows fell into each.

    The bins are fixed at training, so counts of different rows add up. `labels` names them in order.

    - `values`: one bin for each integer in the train rows, then below, above, unseen, missing.
    - `words`: one bin for each declared category, then unseen, missing.
    - `top_words`: one bin for each of the most frequent words of a column with many, then other, missing.
    - `quantiles`: bins between `points` (a value on an edge belongs to the bin below it), then below, above, missing.
      A value that more than one in `n_bins` training rows have has a bin of its own.

    The outermost thousandth of the rows on either side is left out of edges, `mean` and `deviation`, so one
    outlier cannot shift them. Both are None for words.

    With `is_date` the numbers are microseconds since 1970.

    With a `measure` the bins count numbers of texts, such as their length; `name` is not that of the column then.

    `grid` is a finer division of the bins of kind `quantiles` and contains their edges; statistics of the whole
    distribution are computed from it. It is None for other kinds, whose bins are already exact, and for private
    columns.
    """

    name: str
    kind: Literal["values", "words", "top_words", "quantiles"]
    points: tuple[Any, ...]
    counts: tuple[int, ...]
    mean: float | None = None
    deviation: float | None = None
    grid: Bins | None = None
    measure: TextMeasure | None = None
    is_date: bool = False

    @property
    def column(self) -> str:
        """Name of the column whose values are counted."""
        return self.name if self.measure is None else self.measure.column

    @property
    def is_words(self) -> bool:
        """Whether the bins are words, without an order."""
        return self.kind in ("words", "top_words")

    @property
    def n_outside(self) -> int:
        """Number of bins behind those of `points`."""
        return 2 if self.is_words else 4 if self.kind == "values" else 3

    @property
    def finest(self) -> Bins:
        """The grid where there is one, otherwise these bins."""
        return self if self.grid is None else self.grid

    def coarsen(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return counts in these bins from counts in the bins of `finest`, shape (len(labels),)."""
        if self.grid is None or len(self.points) < 2:
            return counts
        return np.concatenate([np.add.reduceat(counts[:-3], self._starts_in_grid), counts[-3:]])

    @cached_property
    def _starts_in_grid(self) -> NDArray[np.intp]:
        return np.searchsorted(np.array(self.finest.points, dtype=np.float64), self.points[:-1])

    @property
    def n_bins(self) -> int:
        """Number of bins, equal to the number of `labels`."""
        n_points = max(len(self.points) - 1, 0) if self.kind == "quantiles" else len(self.points)
        return n_points + self.n_outside

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """One name for each bin, in the order of `counts`."""
        if self.is_words:
            return (*self.points, "unseen" if self.kind == "words" else "other", "missing")
        if self.kind == "values":
            return (*(f"{point:g}" for point in self.points), "below", "above", "unseen", "missing")
        return (*_interval_labels(self.points), "below", "above", "missing")

    @cached_property
    def outside_reasons(self) -> tuple[str, ...]:
        """For each bin why its values are outside of the training rows: `below`, `above`, `unseen`; else empty."""
        if self.kind == "top_words":
            return ("",) * self.n_bins
        if self.kind == "words":
            return (*("" if count else "unseen" for count in self.counts[: len(self.points)]), "unseen", "")
        n_outside = 3 if self.kind == "values" else 2
        return (*[""] * (self.n_bins - n_outside - 1), *("below", "above", "unseen")[:n_outside], "")

    @cached_property
    def single_values(self) -> NDArray[np.bool_]:
        """Which bins of `finest`, without those outside of training, hold one frequent value among many others."""
        if self.kind != "quantiles":
            return np.zeros(len(self.points), dtype=bool)
        finest = self.finest
        is_single = np.zeros(max(len(finest.points) - 1, 0), dtype=bool)
        ends = [high for low, high in zip(self.points[:-1], self.points[1:], strict=True) if _is_adjacent(low, high)]
        if ends:
            is_single[np.searchsorted(finest.points, ends) - 1] = True
        return is_single

    @cached_property
    def robust_deviation(self) -> float | None:
        """The interquartile range of training values as a standard deviation (÷ 1.349), without frequent values.

        None when less than a tenth of the rows have other values, the range is 0, or each value has a bin.
        """
        if self.kind != "quantiles" or len(self.points) < 2:
            return None
        lows, highs = (np.array(ends, dtype=np.float64) for ends in (self.points[:-1], self.points[1:]))
        is_spread = np.array([not _is_adjacent(low, high) for low, high in zip(lows, highs, strict=True)])
        counts = np.array(self.counts[: len(lows)], dtype=np.float64)
        n_present, counts = float(counts.sum()), counts[is_spread]
        if counts.sum() < _MIN_SPREAD_SHARE * n_present or counts.sum() == 0:
            return None
        ends = np.append(lows[is_spread][:1], highs[is_spread])
        reach = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
        low, high = np.interp([0.25, 0.75], reach, ends) / _NORMAL_QUARTILE_RANGE
        return float(high - low) or None

    def codes(self, values: pd.Series | Sequence[Any] | NDArray[Any] | pa.Array) -> NDArray[np.int64]:
        """Return the position in `labels` of the bin of each of `values`, shape (n_values,).

        Raises
        ------
        DataError
            When values are not of the column's kind.
        """
        try:
            if self.measure is not None:
                return self._number_codes(self.measure.numbers(values))
            return self._category_codes(values) if self.is_words else self._number_codes(to_floats(values))
        except (TypeError, ValueError) as error:
            raise DataError(f"{self.name}: cannot be counted ({error})") from error

    def count(self, values: pd.Series | Sequence[Any] | NDArray[Any] | pa.Array) -> NDArray[np.int64]:
        """Return how many of `values` fall into each bin, shape (len(labels),); raises as `codes` does."""
        if self.is_words and hasattr(values, "value_counts"):
            return self._count_categories(values)
        counts, values_ = np.zeros(self.n_bins, dtype=np.int64), getattr(values, "iloc", values)
        # In chunks, so that intermediate arrays fit into the processor's caches.
        for at in range(0, len(values), _CHUNK_ROWS):
            counts += np.bincount(self.codes(values_[at : at + _CHUNK_ROWS]), minlength=len(counts))
        return counts

    def _count_categories(self, values: Any) -> NDArray[np.int64]:
        """Count categories by their distinct values, of which there are few."""
        counts = np.zeros(self.n_bins, dtype=np.int64)
        if _is_arrow(values):
            n_rows = values.value_counts()
            codes = self.codes(n_rows.field("values").to_pylist())
            np.add.at(counts, codes, n_rows.field("counts").to_numpy())
            return counts
        try:
            n_rows = values.value_counts(sort=False, dropna=False)
        except TypeError as error:
            raise DataError(f"{self.name}: cannot be counted ({error})") from error
        np.add.at(counts, self.codes(n_rows.index.to_series()), n_rows.to_numpy(dtype=np.int64))
        return counts

    def _category_codes(self, values: Any) -> NDArray[np.int64]:
        code_of = {category: code for code, category in enumerate(self.points)}
        unseen, missing = len(self.points), len(self.points) + 1
        if not hasattr(values, "factorize"):
            if _is_arrow(values):
                values = values.to_pylist()
            return np.array(
                [missing if _is_missing(value) else code_of.get(_category_text(value), unseen) for value in values],
                dtype=np.int64,
            )
        positions, categories = values.factorize()
        codes = np.array(
            [*(code_of.get(_category_text(value), unseen) for value in categories), missing], dtype=np.int64
        )
        return np.asarray(codes[positions], dtype=np.int64)

    def _number_codes(self, numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        points = np.array(self.points, dtype=np.float64)
        if self.kind == "values":
            n = len(points)
            if n and points[-1] - points[0] == n - 1:
                return _consecutive_integer_codes(numbers, points[0], n)
            at = np.minimum(np.searchsorted(points, numbers), max(n - 1, 0))
            is_point = points[at] == numbers if n else np.zeros(len(numbers), dtype=bool)
            codes = np.where(is_point, at, n + 2)
            codes, last = self._with_out_of_range(codes, numbers, points, n=n), n + 3
        elif len(points) == 0:
            return np.where(np.isnan(numbers), 2, 1)
        else:
            n = max(len(points) - 1, 0)
            # Indexed by the number of edges below the value. The first bin includes its lower edge.
            place = np.array([n, *range(n), n + 1], dtype=np.int64)
            codes, last = place[_fast_searchsorted(points, numbers)], n + 2
            codes[numbers == points[0]] = 0
        codes[np.isnan(numbers)] = last
        return codes

    @staticmethod
    def _with_out_of_range(
        codes: NDArray[np.int64], numbers: NDArray[np.float64], points: NDArray[np.float64], *, n: int
    ) -> NDArray[np.int64]:
        if len(points) == 0:
            return np.full(len(numbers), n + 1, dtype=np.int64)
        return np.where(numbers < points[0], n, np.where(numbers > points[-1], n + 1, codes)).astype(np.int64)


def _consecutive_integer_codes(numbers: NDArray[np.float64], first: float, n: int) -> NDArray[np.int64]:
    """Return the bin of each number where the bins are the `n` consecutive integers from `first` on."""
    near = numbers - first
    # Missing and far values are clipped to the range of int64.
    np.fmin(np.fmax(near, -1.0, out=near), float(n), out=near)
    at = near.astype(np.int64)
    codes = np.array([*range(n), n + 1, n], dtype=np.int64)[at]  # position -1 is below the range
    codes[np.isnan(numbers)] = n + 3
    is_between = at != near
    if is_between.any():
        odd = near[is_between]
        codes[is_between] = np.where(odd < 0, n, np.where(odd > n - 1, n + 1, n + 2))
    return codes


def to_floats(values: Any) -> NDArray[np.float64]:
    """Return numbers as float64 with NaN for missing; datetimes become microseconds since 1970."""
    if _is_arrow(values):
        if hasattr(values.type, "tz"):  # a type of moments
            values = values.cast("timestamp[us]", safe=False).cast("int64")
        return to_float64(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if not hasattr(values, "to_numpy"):  # a list: a server does not load pandas
        return np.array([np.nan if _is_missing(value) else value for value in values], dtype=np.float64)
    if values.dtype.kind == "M":
        moments = values.to_numpy(dtype="datetime64[us]")
        numbers = moments.astype(np.int64).astype(np.float64)
        numbers[np.isnat(moments)] = np.nan
        return np.asarray(numbers)
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _is_adjacent(low: float, high: float) -> bool:
    """Whether no number lies between two edges, so that the bin holds a single value."""
    return math.nextafter(low, math.inf) >= high


def _interval_labels(points: tuple[float, ...]) -> list[str]:
    """Return a label for each interval, with as many digits as distinguish the intervals; one number for one value."""
    pairs = list(itertools.pairwise(points))
    labels: list[str] = []
    for n_digits in (6, 9, 12, _MAX_DIGITS):
        texts = [f"{0.0 if abs(point) < np.finfo(float).tiny else point:.{n_digits}g}" for point in points]
        labels = [
            (texts[i] if i == 0 else texts[i + 1]) if _is_adjacent(low, high) else f"{texts[i]} to {texts[i + 1]}"
            for i, (low, high) in enumerate(pairs)
        ]
        if len(set(labels)) == len(labels):
            break
    return labels


def _is_arrow(values: Any) -> bool:
    return hasattr(values, "dictionary_encode")


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def _category_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool | np.bool_) else value


def _fast_searchsorted(edges: Floats, numbers: Floats) -> NDArray[np.int64]:
    """Return how many of `edges` (ascending) are below each number, as `np.searchsorted(edges, numbers)` does.

    The position of a missing number is undefined.

    Notes
    -----
    Numbers and edges are put into buckets of equal width by the same arithmetic, which preserves their order:
    an edge in an earlier bucket is below, one in a later bucket is not, and only those in the same bucket
    are compared. Where a bucket holds several edges, a binary search decides.
    """
    n = _BUCKETS_PER_EDGE * len(edges)
    with np.errstate(over="ignore"):
        span = edges[-1] - edges[0] if len(edges) else np.float64(0.0)
        scale = n / span if span > 0 else np.float64(np.inf)
    if len(numbers) < _MIN_FAST_NUMBERS or not 0 < scale < np.inf:
        return np.searchsorted(edges, numbers).astype(np.int64)
    buckets = _bucket_positions(numbers, edges[0], scale, n)
    edge_buckets = _bucket_positions(edges, edges[0], scale, n)
    n_edges = np.bincount(edge_buckets, minlength=n)
    # The single edge of each bucket; infinity where the bucket has none.
    edge = np.full(n, np.inf)
    edge[edge_buckets] = edges
    positions = (np.cumsum(n_edges) - n_edges)[buckets] + (edge[buckets] < numbers)
    if (n_edges > 1).any():
        crowded = np.flatnonzero((n_edges > 1)[buckets])
        positions[crowded] = np.searchsorted(edges, numbers[crowded])
    return np.asarray(positions, dtype=np.int64)


def _bucket_positions(numbers: Floats, low: float, scale: float, n: int) -> NDArray[np.int64]:
    with np.errstate(invalid="ignore", over="ignore"):
        placed = (numbers - low) * scale
    np.fmax(placed, 0.0, out=placed)  # also replaces NaN
    np.fmin(placed, n - 1, out=placed)
    return placed.astype(np.int64)
