"""Describe the train rows by counts in fixed bins, so that drift detection compares counts."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError
from pipeline.package.bins import Bins, to_floats
from pipeline.package.text_measures import TextMeasure, learn_text_measures
from pipeline.schema.value_groups import MIN_GROUP_ROWS, group_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import Column, Schema

__all__ = ["Reference", "build_reference", "column_bins"]

_FORMAT_VERSION = 2
_MAX_DISTINCT_VALUES = 32
_TAIL_SHARE = 0.001
_MAX_TOP_WORDS = 50
_MIN_FREQUENT_SHARE = 0.5  # of the rows of a text column: with fewer rows of frequent words it is free text
_MIN_SHARED_SHARE = 0.95  # a bin for each integer of a private column needs as many rows with integers that others have
# A grid bin holds at most a thousandth of the train rows unless they are equal, which bounds the error of a
# Kolmogorov-Smirnov statistic, and its width is limited, which bounds that of a Wasserstein distance.
_N_GRID_BINS = 1000
_MAX_GRID_WIDTH = 0.04
# Scores are between 0 and 1: bins of equal width as well, for the estimated performance of any model.
_N_SCORE_GRID_BINS = 500
_MIN_EXTENT, _MAX_EXTENT = 1e-120, 1e120


@dataclass(frozen=True, slots=True)
class Reference:
    """The bins of every feature and of the predictions, with counts of the train rows.

    `score` is the out-of-fold probability of the positive class, or of the predicted one with more than two
    classes; `confidence` is the largest probability of a row;
    `classes` counts the out-of-fold predictions. A free text has no bins of its own; `measures` has those of its length
    and of its share of new words.
    """

    n_rows: int
    columns: tuple[Bins, ...]
    score: Bins
    confidence: Bins
    classes: Bins
    measures: tuple[Bins, ...] = ()

    @property
    def monitored(self) -> tuple[Bins, ...]:
        """The bins of all features, then those of the measures of texts."""
        return (*self.columns, *self.measures)

    def column(self, name: str) -> Bins:
        """Return the bins of one feature.

        Raises
        ------
        KeyError
            When the feature has no bins, as free text.
        """
        return {bins.name: bins for bins in self.columns}[name]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values from which `from_dict` builds an equal reference."""
        return {
            "format": _FORMAT_VERSION,
            "n_rows": self.n_rows,
            "columns": [_bins_to_dict(bins) for bins in self.columns],
            "measures": [_bins_to_dict(bins) for bins in self.measures],
            "score": _bins_to_dict(self.score),
            "confidence": _bins_to_dict(self.confidence),
            "classes": _bins_to_dict(self.classes),
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
            if value["format"] != _FORMAT_VERSION:
                raise IntegrityError(
                    f"reference: format {value['format']!r} is not known; this version reads {_FORMAT_VERSION}"
                )
            columns = tuple(_bins_from_dict(bins) for bins in value["columns"])
            score, confidence, classes = (_bins_from_dict(value[name]) for name in ("score", "confidence", "classes"))
            measures = tuple(_bins_from_dict(bins) for bins in value["measures"])
            return cls(value["n_rows"], columns, score, confidence, classes, measures)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"reference: invalid content ({error}); restore the package") from error


def build_reference(
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
        Training rows; every feature that is not free text gets bins, and free text gets those of its measures.
    schema : Schema
        Declaration of the columns.
    score : float between 0 and 1, shape (n_rows,)
        Out-of-fold probability of the positive (or predicted) class.
    predicted : str, shape (n_rows,)
        Classes predicted out of fold.
    n_bins : int, at least 2
        Bins between the quantiles of a column with many values.
    threshold : float between 0 and 1, or None
        Lowest score that is predicted as positive; it becomes an edge of the score's grid.
    """
    is_free = {column.name: _is_free_text(column, frame[column.name]) for column in schema.features}
    columns = tuple(
        column_bins(column, frame[column.name], n_bins) for column in schema.features if not is_free[column.name]
    )
    measures = tuple(
        bins
        for column in schema.features
        if is_free[column.name] and not column.is_private
        for bins in _text_bins(column.name, frame[column.name], n_bins)
    )
    classes = _with_counts(Bins(name="class", kind="words", points=schema.target.classes, counts=()), predicted)
    confidence = np.maximum(score, 1.0 - score) if schema.target.is_binary else score
    edges = np.linspace(0.0, 1.0, _N_SCORE_GRID_BINS + 1)
    below = [] if threshold is None or threshold <= 0 else [np.nextafter(threshold, 0.0)]
    return Reference(
        n_rows=len(frame),
        columns=columns,
        score=_quantile_bins("score", score, n_bins, extra_edges=np.append(edges, below)),
        confidence=_quantile_bins("confidence", confidence, n_bins, extra_edges=edges),
        classes=classes,
        measures=measures,
    )


def _is_free_text(column: Column, values: pd.Series) -> bool:
    """Return whether most values of a text column are words of few rows, of which no list can be made."""
    if column.kind != "text":
        return False
    counts = values.value_counts()
    return bool(counts[counts >= MIN_GROUP_ROWS].sum() < _MIN_FREQUENT_SHARE * max(counts.sum(), 1))


def _text_bins(name: str, values: pd.Series, n_bins: int) -> Iterator[Bins]:
    """Yield the bins of each measure of a free text.

    What is known is learned from every other row, and the share of new words is counted in the rows between.
    """
    length, new_words = learn_text_measures(name, values.iloc[::2])
    for measure, rows in ((length, values), (new_words, values.iloc[1::2])):
        bins = _quantile_bins(measure.name, measure.numbers(rows), n_bins, is_whole=measure.kind == "length")
        yield _with_measure(bins, measure)


def column_bins(column: Column, values: pd.Series, n_bins: int) -> Bins:
    """Return the bins of one column, with the counts of `values`; a text column gets its most frequent words."""
    if column.kind == "text":
        return _top_word_bins(column.name, values)
    if column.kind in ("category", "boolean"):
        categories = column.categories if column.kind == "category" else ("false", "true")
        return _with_counts(Bins(name=column.name, kind="words", points=categories, counts=()), values)
    numbers = to_floats(values)
    bins = _integer_bins(column, numbers) if column.kind == "integer" else None
    if bins is not None:
        return bins
    if column.is_private:
        bins = _grouped_bins(column.name, numbers, n_bins)
    else:
        bins = _quantile_bins(column.name, numbers, n_bins, is_whole=column.kind == "integer")
    return replace(bins, is_date=column.kind == "datetime")


def _top_word_bins(name: str, values: pd.Series) -> Bins:
    """Return a bin for each of the most frequent words of every other row, counted in the rows between.

    Counted in the rows that chose them, the most frequent words would be more frequent than in any later rows.
    """
    n_rows = values.iloc[::2].value_counts()
    frequent = sorted((-int(n), word) for word, n in n_rows[n_rows >= MIN_GROUP_ROWS].items())[:_MAX_TOP_WORDS]
    bins = Bins(name=name, kind="top_words", points=tuple(word for _, word in frequent), counts=())
    return _with_counts(bins, values.iloc[1::2])


def _integer_bins(column: Column, numbers: NDArray[np.float64]) -> Bins | None:
    """Return a bin for each integer where there are few; of a private column, for those that several rows have."""
    core = _without_tails(_shared_numbers(numbers) if column.is_private else numbers)
    seen = np.unique(core)
    if len(seen) and seen[-1] - seen[0] < _MAX_DISTINCT_VALUES:
        seen = np.arange(seen[0], seen[-1] + 1)
    if len(seen) > _MAX_DISTINCT_VALUES:
        return None
    if column.is_private and np.isin(numbers, seen).sum() < _MIN_SHARED_SHARE * np.isfinite(numbers).sum():
        return None
    points = tuple(seen.astype(int).tolist())
    return _with_counts(Bins(column.name, "values", points, (), *_mean_and_deviation(core)), numbers)


def _shared_numbers(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    shared = values[counts >= MIN_GROUP_ROWS]
    return numbers[np.isin(numbers, shared)]


def _grouped_bins(name: str, numbers: NDArray[np.float64], n_bins: int) -> Bins:
    """Return bins whose edges are levels of groups of rows, so that no edge is a single person's value.

    A few rows lie beyond the outermost levels. There is no grid: the log stores such a column by bin, or not at all.
    """
    groups = group_values(numbers)
    if not groups.levels:
        return _with_counts(Bins(name=name, kind="quantiles", points=(), counts=()), numbers)
    levels = np.sort(groups.replace(numbers[~np.isnan(numbers)]))
    edges = _two_or_more(_bin_edges(levels, n_bins, is_whole=False))
    bins = Bins(name, "quantiles", tuple(edges.tolist()), (), *_mean_and_deviation(levels))
    return _with_counts(bins, numbers)


def _without_tails(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-missing numbers without the outermost thousandth on either side."""
    present = numbers[~np.isnan(numbers)]
    if len(present) == 0:
        return present
    low, high = np.quantile(present, [_TAIL_SHARE, 1 - _TAIL_SHARE], method="inverted_cdf")
    return np.asarray(present[(present >= low) & (present <= high)])


def _quantile_bins(
    name: str,
    numbers: NDArray[np.float64],
    n_bins: int,
    *,
    extra_edges: NDArray[np.float64] | None = None,
    is_whole: bool = False,
) -> Bins:
    present = np.sort(numbers[~np.isnan(numbers)])
    if len(present) == 0:
        return _with_counts(Bins(name=name, kind="quantiles", points=(), counts=()), numbers)
    edges = _two_or_more(_bin_edges(present, n_bins, is_whole=is_whole))
    inside = np.clip(present, edges[0], edges[-1])
    bins = Bins(name, "quantiles", tuple(edges.tolist()), (), *_mean_and_deviation(inside))
    points = _grid_edges(present, edges, bins.deviation or 0.0, is_whole=is_whole)
    if extra_edges is not None:
        # The outermost bins are unchanged, so both divisions count the same rows below and above.
        points = np.unique(np.concatenate([points, extra_edges[(extra_edges > edges[0]) & (extra_edges < edges[-1])]]))
    grid = _with_counts(Bins(name=name, kind="quantiles", points=tuple(points.tolist()), counts=()), numbers)
    return replace(_with_counts(bins, numbers), grid=grid)


def _two_or_more(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return edges if len(edges) > 1 else np.sort([edges[0], _next_below(edges)[0]])


def _bin_edges(present: NDArray[np.float64], n_bins: int, *, is_whole: bool) -> NDArray[np.float64]:
    """Return quantiles of sorted numbers as edges; a value of more than one bin's rows has a bin of its own.

    The other bins divide the rows without such values, so that many zeros leave bins for the amounts.
    """
    edges = _quantiles(present, n_bins)
    if len(edges) == n_bins + 1 or len(edges) == 1:
        return edges
    low, high = edges[0], edges[-1]
    values, counts = np.unique(present, return_counts=True)
    frequent = values[(counts > len(present) / n_bins) & (values >= low) & (values <= high)]
    others = present[~np.isin(present, frequent) & (present > low) & (present <= high)]
    n_others = min(max(n_bins - len(frequent), 2), len(others))
    inner = _quantiles(others, n_others) if n_others else others
    with np.errstate(over="ignore"):
        starts = frequent - 1.0 if is_whole else np.nextafter(frequent, -np.inf)
        starts = np.where(frequent == low, np.nextafter(low, np.inf), starts)
    points = np.unique(np.concatenate([[low, high], inner, frequent, starts]))
    return np.asarray(points[(points >= low) & (points <= high)])


def _quantiles(present: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    shares = np.concatenate([[_TAIL_SHARE], np.arange(1, n) / n, [1 - _TAIL_SHARE]])
    return np.unique(np.quantile(present, shares, method="inverted_cdf"))


def _grid_edges(
    present: NDArray[np.float64], edges: NDArray[np.float64], deviation: float, *, is_whole: bool
) -> NDArray[np.float64]:
    """Return the edges of the grid, ascending: `edges` among them, frequent values in bins of their own."""
    low, high = edges[0], edges[-1]
    if is_whole and high - low <= _N_GRID_BINS:
        return np.unique(np.concatenate([edges, np.arange(low, high + 1), [np.nextafter(low, np.inf)]]))
    points = np.unique(np.concatenate([edges, _quantiles(present, _N_GRID_BINS)]))
    held = np.diff(np.searchsorted(present, points, side="right"), prepend=0)
    frequent = points[held > 1.5 * len(present) / _N_GRID_BINS]
    # The first bin includes its lower edge, so that value gets a bin of its own.
    points = np.unique(np.concatenate([points, _next_below(frequent), -_next_below(-edges[:1])]))
    if deviation > 0 and not is_whole:
        # Half the width: the whole one of extreme numbers is infinite.
        widths = (np.diff(points / 2) / deviation) * (2 / _MAX_GRID_WIDTH)
        n = np.clip(np.ceil(widths), 1, _N_GRID_BINS).astype(int)
        points = np.unique(np.concatenate([*map(_evenly_spaced, points[:-1], points[1:], n), points[-1:]]))
    return np.asarray(points[(points >= low) & (points <= high)])


def _next_below(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the next smaller float of each number; of the smallest float the next larger one, which is finite."""
    with np.errstate(over="ignore"):
        below = np.nextafter(numbers, -np.inf)
    return np.where(np.isfinite(below), below, np.nextafter(numbers, 0.0))


def _evenly_spaced(low: float, high: float, n: int) -> NDArray[np.float64]:
    if math.isfinite(float(high) - float(low)):
        return np.linspace(low, high, n, endpoint=False)
    return np.linspace(low / 2, high / 2, n, endpoint=False) * 2


def _mean_and_deviation(present: NDArray[np.float64]) -> tuple[float | None, float | None]:
    if len(present) == 0:
        return None, None
    extent = float(np.abs(present).max())
    # The squares of numbers beyond these limits overflow, or become zero.
    unit = 1.0 if extent == 0 or _MIN_EXTENT < extent < _MAX_EXTENT else extent
    return float((present / unit).mean() * unit), float((present / unit).std() * unit)


def _with_measure(bins: Bins, measure: TextMeasure) -> Bins:
    """Return bins that count the numbers of a measure, in place of values."""
    grid = None if bins.grid is None else replace(bins.grid, measure=measure)
    return replace(bins, measure=measure, grid=grid)


def _with_counts(bins: Bins, values: Any) -> Bins:
    return replace(bins, counts=tuple(bins.count(values).tolist()))


def _bins_to_dict(bins: Bins) -> dict[str, Any]:
    return {
        "name": bins.name,
        "kind": bins.kind,
        "points": list(bins.points),
        "counts": list(bins.counts),
        "labels": list(bins.labels),
        "mean": bins.mean,
        "deviation": bins.deviation,
        "is_date": bins.is_date,
        "measure": None if bins.measure is None else bins.measure.as_dict(),
        "grid": None
        if bins.grid is None
        else {"edges": _encode_numbers(bins.grid.points, "<f8"), "counts": _encode_numbers(bins.grid.counts, "<i8")},
    }


def _encode_numbers(numbers: Sequence[float], dtype: str) -> str:
    """Return numbers as text of a quarter of their size in JSON."""
    return base64.b64encode(np.array(numbers, dtype=dtype).tobytes()).decode()


def _decode_numbers(text: str, dtype: str) -> tuple[Any, ...]:
    return tuple(np.frombuffer(base64.b64decode(text, validate=True), dtype=dtype).tolist())


def _bins_from_dict(value: Mapping[str, Any]) -> Bins:
    grid = value["grid"]
    if grid is not None:
        edges, counts = _decode_numbers(grid["edges"], "<f8"), _decode_numbers(grid["counts"], "<i8")
        grid = Bins(name=value["name"], kind="quantiles", points=edges, counts=counts)
    bins = Bins(
        name=value["name"],
        kind=value["kind"],
        points=tuple(value["points"]),
        counts=tuple(value["counts"]),
        mean=value["mean"],
        deviation=value["deviation"],
        grid=grid,
        is_date=value["is_date"],
    )
    if value["measure"] is not None:
        bins = _with_measure(bins, TextMeasure.from_dict(value["measure"]))
    for part in (bins, bins.finest):
        if len(part.counts) != part.n_bins:
            raise IntegrityError(f"reference: {part.name} has {len(part.counts)} counts for {part.n_bins} bins")
    return bins
