"""Measure how well one column alone predicts the class, on rows that the prediction was not fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.validation.column_stats import ColumnStats

    Counts = NDArray[np.int64]

__all__ = ["ColumnSkill", "measure_skill", "wilson_lower"]

_Z_95 = 1.959963984540054  # two-sided 95 %
_MAX_BINS = 1_024
_MAX_DEPTH = 3
_ROWS_PER_VALUE = 20  # from here on, each value predicts its class as well as a tree


@dataclass(frozen=True, slots=True)
class ColumnSkill:
    """The critical success index of a column, and the lower end of its 95 % Wilson interval.

    The index (threat score, Gilbert 1884) is hits / (hits + misses + false alarms), pooled over all classes but the
    most frequent one: 0 where the column only ever predicts that class, 1 where it makes no error.
    """

    index: float
    lower: float


def measure_skill(column: ColumnStats) -> ColumnSkill:
    """Return the skill of the better of two predictions: the class of each value, and a tree of depth 3 of numbers.

    The class of a value is that of the other rows with it (leave one out). The tree splits at most 1,024 bins of
    the numbers, is fitted to one half of the rows and predicts the other. Missing is a value for both.

    The cost grows with neither the rows nor the values beyond these limits.
    """
    missing = column.missing_by_class[:-1]
    confusions = []
    if column.values is not None:
        table = np.concatenate([column.counts_by_class[:, :-1], missing[None, :]])
        confusions.append(_leave_one_out(table))
    n_present = column.n_rows - column.n_missing
    has_rare_values = column.values is None or len(column.values) * _ROWS_PER_VALUE > n_present
    if has_rare_values and (column.sample_classes >= 0).any():
        confusions.append(_tree_confusion(column, missing))
    return max((_skill_of(confusion) for confusion in confusions), key=lambda skill: skill.lower, default=_NO_SKILL)


_NO_SKILL = ColumnSkill(0.0, 0.0)


def wilson_lower(hits: Counts, n: Counts) -> NDArray[np.float64]:
    """Return the lower end of the 95 % Wilson interval of each share `hits / n`; 0 where `n` is 0."""
    n_safe = np.maximum(n, 1).astype(np.float64)
    p = hits / n_safe
    center = p + _Z_95**2 / (2 * n_safe)
    margin = _Z_95 * np.sqrt(p * (1 - p) / n_safe + _Z_95**2 / (4 * n_safe**2))
    return np.asarray(np.where(n > 0, (center - margin) / (1 + _Z_95**2 / n_safe), 0.0))


def _skill_of(confusion: Counts) -> ColumnSkill:
    """Return the skill of a table of rows by actual and predicted class."""
    hits = np.diag(confusion)
    actual, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    is_counted = np.arange(len(hits)) != int(actual.argmax())
    n_hits = int(hits[is_counted].sum())
    n = int((actual + predicted - hits)[is_counted].sum())
    if not n:
        return _NO_SKILL
    return ColumnSkill(n_hits / n, float(wilson_lower(np.array([n_hits]), np.array([n]))[0]))


def _leave_one_out(table: Counts) -> Counts:
    """Return rows by actual and predicted class, where a row's value predicts the class of its other rows.

    A value of one row predicts the most frequent class of all rows.
    """
    n_classes = table.shape[1]
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    fallback = int(table.sum(axis=0).argmax())
    rows = np.arange(len(table))
    best = table.argmax(axis=1)
    others = table.copy()
    others[rows, best] -= 1  # a row of another class than the best leaves the best as it is
    best_without_own = np.where(others.max(axis=1) > 0, others.argmax(axis=1), fallback)
    for actual in range(n_classes):
        predicted = np.where(best == actual, best_without_own, best)
        np.add.at(confusion[actual], predicted, table[:, actual])
    return confusion


def _tree_confusion(column: ColumnStats, missing: Counts) -> Counts:
    is_known = column.sample_classes >= 0
    numbers, codes = column.sample[is_known], column.sample_classes[is_known]
    n_classes = len(missing)
    edges, halves = _binned_halves(numbers, codes, n_classes)
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    for fitted, unseen in (halves, halves[::-1]):
        for start, stop in _tree_leaves(fitted, edges, (0, len(fitted)), depth=_depth(n_classes)):
            confusion[:, int(fitted[start:stop].sum(axis=0).argmax())] += unseen[start:stop].sum(axis=0)
    return confusion + _leave_one_out(_scaled_to_sample(missing, len(numbers), column)[None, :])


def _depth(n_classes: int) -> int:
    return max(_MAX_DEPTH, int(np.ceil(np.log2(n_classes))) + 1)


def _scaled_to_sample(missing: Counts, n_sample: int, column: ColumnStats) -> Counts:
    n_present = max(column.n_rows - column.n_missing, 1)
    return np.asarray(np.floor(missing * min(1.0, n_sample / n_present)), dtype=np.int64)


def _binned_halves(
    numbers: NDArray[np.float64], codes: NDArray[np.int64], n_classes: int
) -> tuple[NDArray[np.float64], tuple[Counts, Counts]]:
    """Return the upper ends of bins, and the rows by bin and class of every second row, and of the others.

    Equal numbers share a bin.
    """
    picked = numbers[np.linspace(0, len(numbers) - 1, _MAX_BINS).astype(np.int64)]  # the last one included
    edges = np.unique(picked)
    bins = np.searchsorted(edges, numbers, side="left")
    at_half = np.arange(len(numbers)) % 2
    cells = bins * n_classes + codes
    first, second = (
        np.bincount(cells[at_half == half], minlength=len(edges) * n_classes).reshape(-1, n_classes) for half in (0, 1)
    )
    return edges, (first, second)


def _tree_leaves(
    table: Counts, edges: NDArray[np.float64], span: tuple[int, int], *, depth: int
) -> list[tuple[int, int]]:
    """Return the spans of bins between the splits that lower the Gini impurity most."""
    start, stop = span
    left = table[start:stop].cumsum(axis=0)
    n = int(left[-1].sum()) if len(left) else 0
    if depth == 0 or n == 0 or left[-1].max() == n:
        return [span]
    purity = _pure_rows(left) + _pure_rows(left[-1] - left)
    first = start + int(purity.argmax())
    is_empty = table[first + 1 : stop].sum(axis=1) == 0
    if is_empty.all():
        return [span]
    following = first + 1 + int(is_empty.argmin())
    # The middle of the gap, as other rows may lie in it.
    threshold = edges[first] / 2 + edges[min(following, len(edges) - 1)] / 2
    middle = first + max(1, int(np.searchsorted(edges[first:following], threshold, side="right")))
    below, above = (start, middle), (middle, stop)
    return [leaf for span in (below, above) for leaf in _tree_leaves(table, edges, span, depth=depth - 1)]


def _pure_rows(counts: Counts) -> NDArray[np.float64]:
    """Return n times the sum of squared class shares; high where a side is pure (Gini)."""
    return np.asarray((counts.astype(np.float64) ** 2).sum(axis=1) / np.maximum(counts.sum(axis=1), 1))
