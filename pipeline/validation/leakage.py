"""Detect target leakage: columns whose values determine the class."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pipeline.validation.findings import shorten_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.validation.dataset_stats import ColumnStats

__all__ = ["TargetLeakage", "detect_leakage"]

_Z_95 = 1.959963984540054  # two-sided 95 %
_N_BINS = 20
_MAX_DISTINCT = 50
_MAX_EXAMPLES = 5
_MIN_COPY_PURITY = 0.95


@dataclass(frozen=True, slots=True)
class TargetLeakage:
    """Values of a column that (nearly) always occur with one class.

    `share` is the share of all rows that have such a value, `purity` the lowest lower bound among them,
    `is_copy` whether each value occurs with one class and each class with one value.
    """

    share: float
    purity: float
    is_copy: bool
    values: tuple[str, ...]


def detect_leakage(column: ColumnStats, *, purity: float) -> TargetLeakage | None:
    """Return the values that determine the class with statistical certainty; None where there are none.

    A value counts when the lower end of the 95 % Wilson interval (Wilson 1927) of its most frequent class's
    share reaches `purity`, so a rare value proves nothing. Where a class has more than half of
    all rows, the tolerated error shrinks with the share of the others: with 99 % of one class nearly
    every value occurs with it. A column with many different numbers is cut into 20 bins of equal size.

    A column with one value for each class and no error is a copy of the target. All of its values together
    must reach 0.95, which 73 rows do, whatever share of the rows it covers.
    """
    names, table = _contingency_table(column)
    n_known = int(table.sum())
    if n_known == 0 or np.count_nonzero(table.sum(axis=0)) < 2:
        return None
    n = table.sum(axis=1)
    top = table.max(axis=1)
    lower = _wilson_lower(top, n)
    is_copy = _is_copy(table)
    max_error = (1 - purity) * np.minimum(1, 2 * (1 - table.sum(axis=0) / n_known))
    is_leaking = np.full(len(n), fill_value=True) if is_copy else lower >= 1 - max_error[table.argmax(axis=1)]
    if not is_leaking.any():
        return None
    covered = n[is_leaking].sum() / n_known * (column.n_rows - column.n_missing) / column.n_rows
    values = tuple(names[at] for at in np.flatnonzero(is_leaking)[:_MAX_EXAMPLES])
    return TargetLeakage(float(covered), float(lower[is_leaking].min()), is_copy, values)


def _is_copy(table: NDArray[np.int64]) -> bool:
    seen = table[table.sum(axis=1) > 0]
    is_one_to_one = (seen > 0).sum(axis=1).max() == 1 and (seen > 0).sum(axis=0).max() == 1
    total = seen.sum(keepdims=True)[0]
    return bool(is_one_to_one and _wilson_lower(total, total)[0] >= _MIN_COPY_PURITY)


def _contingency_table(column: ColumnStats) -> tuple[list[str], NDArray[np.int64]]:
    """Return a name and the counts by class of each value, or of each bin of the numbers."""
    if column.values is not None and (len(column.values) <= _MAX_DISTINCT or not len(column.sample)):
        names = [
            shorten_text(str(value)) if shown else "a value of few rows"
            for value, shown in zip(column.values, column.shown_values, strict=True)
        ]
        return names, column.counts_by_class[:, :-1]
    n_classes = column.counts_by_class.shape[1] - 1
    inner = np.linspace(0, 1, _N_BINS + 1)[1:-1]
    shown = column.shown_sample
    edges = np.unique(np.quantile(shown, inner)) if len(shown) else np.empty(0)
    known = column.sample_classes >= 0
    bin_index = np.searchsorted(edges, column.sample, side="left")
    table = np.zeros((len(edges) + 1, n_classes), dtype=np.int64)
    np.add.at(table, (bin_index[known], column.sample_classes[known]), 1)
    return [f"{low:.6g} to {high:.6g}" for low, high in pairwise([-np.inf, *edges, np.inf])], table


def _wilson_lower(hits: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    n_safe = np.maximum(n, 1).astype(np.float64)
    p = hits / n_safe
    center = p + _Z_95**2 / (2 * n_safe)
    margin = _Z_95 * np.sqrt(p * (1 - p) / n_safe + _Z_95**2 / (4 * n_safe**2))
    return np.asarray(np.where(n > 0, (center - margin) / (1 + _Z_95**2 / n_safe), 0.0))
