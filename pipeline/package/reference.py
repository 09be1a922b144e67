"""Count rows in bins that the training rows fixed, so that drift is a comparison of counts."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.errors import DataError, IntegrityError
from pipeline.package.searching import find_among

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import Column, Schema

__all__ = ["Bins", "Reference", "describe"]

_FORMAT = 2
_MAX_VALUES = 32
_TAIL = 0.001
# No bin of a grid holds more than a thousandth of the training rows unless they are equal: no more can be
# lost of a Kolmogorov-Smirnov statistic. None is wider than a part of the deviation: so of a Wasserstein distance.
_GRID = 1000
_AT_ONCE = 1 << 16
_WIDTH = 0.04
# Scores lie between 0 and 1: bins of equal width as well, so that expected figures can be read off any model's.
_SCORE_GRID = 500


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one column, and how many training rows fell into each.

    Counts of any two sets of rows may be added: bins never move. `labels` names them in their order.

    - `values`: one bin for each whole number seen in training, then below, above, unseen, missing.
    - `words`: one bin for each declared word, then unseen, missing.
    - `quantiles`: bins between `edges` (a value on an edge belongs below it), then below, above, missing.

    The outermost thousandth of the rows on either side sets no bin: one outlier cannot move them. `mean`
    and `deviation` leave it out too; they are None for words.

    `grid` cuts the bins of kind `quantiles` finer, with an edge at each of theirs: statistics of the whole
    distribution are worked out from it. It is None for other kinds, which are as fine as values go.
    """

    name: str
    kind: Literal["values", "words", "quantiles"]
    points: tuple[Any, ...]
    counts: tuple[int, ...]
    mean: float | None = None
    deviation: float | None = None
    grid: Bins | None = None

    @property
    def finest(self) -> Bins:
        """The grid where there is one, otherwise these bins."""
        return self if self.grid is None else self.grid

    def fold(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return counts in these bins from counts in the bins of `finest`, shape (len(labels),)."""
        if self.grid is None or len(self.points) < 2:
            return counts
        starts = np.searchsorted(self.grid.points, self.points[:-1])
        return np.concatenate([np.add.reduceat(counts[:-3], starts), counts[-3:]])

    @property
    def n_bins(self) -> int:
        """How many bins there are: as many as `labels`, without making the names."""
        if self.kind == "quantiles":
            return max(len(self.points) - 1, 0) + 3
        return len(self.points) + (2 if self.kind == "words" else 4)

    @property
    def labels(self) -> tuple[str, ...]:
        """One name for each bin, in the order of `counts`."""
        if self.kind == "words":
            return (*self.points, "unseen", "missing")
        if self.kind == "values":
            return (*(f"{point:g}" for point in self.points), "below", "above", "unseen", "missing")
        pairs = zip(self.points[:-1], self.points[1:], strict=True)
        return (*(f"{low:.6g} to {high:.6g}" for low, high in pairs), "below", "above", "missing")

    def codes(self, values: pd.Series | Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
        """Return the position in `labels` of the bin of each of `values`, shape (n_values,).

        Raises
        ------
        DataError
            When values are not of the column's kind.
        """
        try:
            return self._words(values) if self.kind == "words" else self._numbers(_floats(values))
        except (TypeError, ValueError) as error:
            raise DataError(f"{self.name}: cannot be counted ({error})") from error

    def count(self, values: pd.Series | Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
        """Return how many of `values` fall into each bin, shape (len(labels),); raises as `codes` does."""
        found, rows = np.zeros(self.n_bins, dtype=np.int64), getattr(values, "iloc", values)
        # A piece at a time: what is worked out on the way stays small, and in the caches of the processor.
        for at in range(0, len(values), _AT_ONCE):
            found += np.bincount(self.codes(rows[at : at + _AT_ONCE]), minlength=len(found))
        return found

    def _words(self, values: Any) -> NDArray[np.int64]:
        known = {word: code for code, word in enumerate(self.points)}
        unseen, missing = len(self.points), len(self.points) + 1
        if not hasattr(values, "factorize"):
            return np.array(
                [missing if _is_missing(one) else known.get(_word(one), unseen) for one in values], dtype=np.int64
            )
        positions, found = values.factorize()
        codes = np.array([*(known.get(_word(one), unseen) for one in found), missing], dtype=np.int64)
        return np.asarray(codes[positions], dtype=np.int64)

    def _numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        points = np.array(self.points, dtype=np.float64)
        if self.kind == "values":
            n = len(points)
            if n and points[-1] - points[0] == n - 1:
                return _consecutive(numbers, points[0], n)
            at = np.minimum(np.searchsorted(points, numbers), max(n - 1, 0))
            is_point = points[at] == numbers if n else np.zeros(len(numbers), dtype=bool)
            codes = np.where(is_point, at, n + 2)
            codes, last = self._outside(codes, numbers, points, n), n + 3
        else:
            n = max(len(points) - 1, 0)
            codes = np.clip(find_among(points, numbers) - 1, 0, max(n - 1, 0))
            codes, last = self._outside(codes, numbers, points, n), n + 2
        codes[np.isnan(numbers)] = last
        return codes

    @staticmethod
    def _outside(
        codes: NDArray[np.int64], numbers: NDArray[np.float64], points: NDArray[np.float64], n: int
    ) -> NDArray[np.int64]:
        if len(points) == 0:
            return np.full(len(numbers), n + 1, dtype=np.int64)
        return np.where(numbers < points[0], n, np.where(numbers > points[-1], n + 1, codes)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Reference:
    """The bins of every feature and of what was predicted, with the training rows counted in them.

    `score` is the out-of-fold probability of the positive class, or of the predicted one where there are
    more than two; `confidence` is the larger one of two probabilities, or the score where there are more;
    `classes` counts what was predicted out of fold.
    """

    n_rows: int
    columns: tuple[Bins, ...]
    score: Bins
    confidence: Bins
    classes: Bins

    def column(self, name: str) -> Bins:
        """Return the bins of one feature; KeyError when it has none."""
        return {bins.name: bins for bins in self.columns}[name]

    def as_dict(self) -> dict[str, Any]:
        """Return plain figures from which `from_dict` builds it again."""
        return {
            "format": _FORMAT,
            "n_rows": self.n_rows,
            "columns": [_plain(bins) for bins in self.columns],
            "score": _plain(self.score),
            "confidence": _plain(self.confidence),
            "classes": _plain(self.classes),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Reference:
        """Return the reference that `as_dict` wrote.

        Raises
        ------
        IntegrityError
            When `value` is not of the form that `as_dict` writes.
        """
        try:
            if value["format"] != _FORMAT:
                raise IntegrityError(
                    f"reference: format {value['format']!r} is not known; this version reads {_FORMAT}"
                )
            columns = tuple(_bins(one) for one in value["columns"])
            said = (_bins(value[name]) for name in ("score", "confidence", "classes"))
            return cls(value["n_rows"], columns, *said)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"reference: not what a package writes ({error})") from error


def describe(
    frame: pd.DataFrame,
    schema: Schema,
    *,
    score: NDArray[np.float64],
    predicted: NDArray[np.str_],
    n_bins: int,
    threshold: float | None = None,
) -> Reference:
    """Return the reference of training rows.

    Parameters
    ----------
    frame : DataFrame
        Training rows; every feature that is not free text gets bins.
    schema : Schema
        Their declaration.
    score : float between 0 and 1, shape (n_rows,)
        Out-of-fold probability of the positive (or predicted) class.
    predicted : str, shape (n_rows,)
        Classes predicted out of fold.
    n_bins : int, at least 2
        Bins between the quantiles of a column with many values.
    threshold : float between 0 and 1, or None
        Lowest score that is called positive; it is an edge of the score's grid.
    """
    columns = tuple(
        _column_bins(column, frame[column.name], n_bins) for column in schema.features if column.kind != "text"
    )
    classes = _counted(Bins("class", "words", schema.target.classes, ()), predicted)
    confidence = np.maximum(score, 1.0 - score) if schema.target.is_binary else score
    edges = np.linspace(0.0, 1.0, _SCORE_GRID + 1)
    below = [] if threshold is None or threshold <= 0 else [np.nextafter(threshold, 0.0)]
    return Reference(
        len(frame),
        columns,
        _quantile_bins("score", score, n_bins, more=np.append(edges, below)),
        _quantile_bins("confidence", confidence, n_bins, more=edges),
        classes,
    )


def _column_bins(column: Column, values: pd.Series, n_bins: int) -> Bins:
    if column.kind in ("category", "boolean"):
        words = column.categories if column.kind == "category" else ("false", "true")
        return _counted(Bins(column.name, "words", words, ()), values)
    numbers = _floats(values)
    if column.kind == "integer":
        core = _core(numbers)
        seen = np.unique(core)
        if len(seen) and seen[-1] - seen[0] < _MAX_VALUES:
            seen = np.arange(seen[0], seen[-1] + 1)
        if len(seen) <= _MAX_VALUES:
            return _counted(Bins(column.name, "values", tuple(seen.astype(int).tolist()), (), *_moments(core)), values)
    return _quantile_bins(column.name, numbers, n_bins, is_whole=column.kind == "integer")


def _core(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the present numbers without the outermost thousandth on either side."""
    present = numbers[~np.isnan(numbers)]
    if len(present) == 0:
        return present
    low, high = np.quantile(present, [_TAIL, 1 - _TAIL], method="inverted_cdf")
    return np.asarray(present[(present >= low) & (present <= high)])


def _quantile_bins(
    name: str,
    numbers: NDArray[np.float64],
    n_bins: int,
    *,
    more: NDArray[np.float64] | None = None,
    is_whole: bool = False,
) -> Bins:
    present = np.sort(numbers[~np.isnan(numbers)])
    if len(present) == 0:
        return _counted(Bins(name, "quantiles", (), ()), numbers)
    edges = _quantiles(present, n_bins)
    if len(edges) == 1:
        edges = np.array([np.nextafter(edges[0], -np.inf), edges[0]])
    inside = np.clip(present, edges[0], edges[-1])
    bins = Bins(name, "quantiles", tuple(edges.tolist()), (), *_moments(inside))
    points = _grid(present, edges, bins.deviation or 0.0, is_whole=is_whole)
    if more is not None:
        # The outermost bins stay as they are, so that both forms count the same rows below and above.
        points = np.unique(np.concatenate([points, more[(more > edges[0]) & (more < edges[-1])]]))
    grid = _counted(Bins(name, "quantiles", tuple(points.tolist()), ()), numbers)
    return replace(_counted(bins, numbers), grid=grid)


def _quantiles(present: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    shares = np.concatenate([[_TAIL], np.arange(1, n) / n, [1 - _TAIL]])
    return np.unique(np.quantile(present, shares, method="inverted_cdf"))


def _grid(
    present: NDArray[np.float64], edges: NDArray[np.float64], deviation: float, *, is_whole: bool
) -> NDArray[np.float64]:
    """Return the edges of the grid, ascending: `edges` among them, frequent values in bins of their own."""
    low, high = edges[0], edges[-1]
    if is_whole and high - low <= _GRID:
        return np.unique(np.concatenate([edges, np.arange(low, high + 1), [np.nextafter(low, np.inf)]]))
    points = np.unique(np.concatenate([edges, _quantiles(present, _GRID)]))
    held = np.diff(np.searchsorted(present, points, side="right"), prepend=0)
    frequent = points[held > 1.5 * len(present) / _GRID]
    # The first bin holds its lower edge too, so that one is cut off from what lies above it.
    points = np.unique(np.concatenate([points, np.nextafter(frequent, -np.inf), [np.nextafter(low, np.inf)]]))
    if deviation > 0 and not is_whole:
        n = np.clip(np.ceil(np.diff(points) / (_WIDTH * deviation)), 1, _GRID).astype(int)
        points = np.concatenate([*map(_between, points[:-1], points[1:], n), points[-1:]])
    return np.asarray(points[(points >= low) & (points <= high)])


def _between(low: float, high: float, n: int) -> NDArray[np.float64]:
    return np.linspace(low, high, n, endpoint=False)


def _consecutive(numbers: NDArray[np.float64], first: float, n: int) -> NDArray[np.int64]:
    """Return the bins of numbers where there is one for each of `n` whole numbers from `first` on."""
    is_missing = np.isnan(numbers)
    clipped = np.clip(np.where(is_missing, first, numbers), first - 1, first + n)
    codes = np.floor(clipped - first).astype(np.int64)
    is_below, is_above = numbers < first, numbers > first + n - 1
    codes[(clipped - first) != codes] = n + 2
    codes[is_below] = n
    codes[is_above] = n + 1
    codes[is_missing] = n + 3
    return codes


def _moments(present: NDArray[np.float64]) -> tuple[float | None, float | None]:
    if len(present) == 0:
        return None, None
    return float(present.mean()), float(present.std())


def _counted(bins: Bins, values: Any) -> Bins:
    return replace(bins, counts=tuple(bins.count(values).tolist()))


def _floats(values: Any) -> NDArray[np.float64]:
    """Return numbers as float64 with NaN for missing; moments become microseconds since 1970."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if not hasattr(values, "to_numpy"):  # a list, or an array: what serves does not load pandas
        return np.array([np.nan if _is_missing(one) else one for one in values], dtype=np.float64)
    if values.dtype.kind == "M":
        moments = values.to_numpy(dtype="datetime64[us]")
        numbers = moments.astype(np.int64).astype(np.float64)
        numbers[np.isnat(moments)] = np.nan
        return np.asarray(numbers)
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool | np.bool_) else value


def _plain(bins: Bins) -> dict[str, Any]:
    return {
        "name": bins.name,
        "kind": bins.kind,
        "points": list(bins.points),
        "counts": list(bins.counts),
        "labels": list(bins.labels),
        "mean": bins.mean,
        "deviation": bins.deviation,
        "grid": None
        if bins.grid is None
        else {"edges": _packed(bins.grid.points, "<f8"), "counts": _packed(bins.grid.counts, "<i8")},
    }


def _packed(numbers: Sequence[float], dtype: str) -> str:
    """Return numbers as text, a quarter of their size as JSON."""
    return base64.b64encode(np.array(numbers, dtype=dtype).tobytes()).decode()


def _unpacked(text: str, dtype: str) -> tuple[Any, ...]:
    return tuple(np.frombuffer(base64.b64decode(text, validate=True), dtype=dtype).tolist())


def _bins(value: Mapping[str, Any]) -> Bins:
    grid = value["grid"]
    if grid is not None:
        edges, counts = _unpacked(grid["edges"], "<f8"), _unpacked(grid["counts"], "<i8")
        grid = Bins(value["name"], "quantiles", edges, counts)
    bins = Bins(
        value["name"],
        value["kind"],
        tuple(value["points"]),
        tuple(value["counts"]),
        value["mean"],
        value["deviation"],
        grid,
    )
    for one in (bins, bins.finest):
        if len(one.counts) != one.n_bins:
            raise IntegrityError(f"reference: {one.name} has {len(one.counts)} counts for {one.n_bins} bins")
    return bins
