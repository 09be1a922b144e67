"""Find columns that give the answer away."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pipeline.validation.findings import clipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.validation.tally import ColumnTally

__all__ = ["Leak", "find_leak"]

_Z = 1.959963984540054  # two-sided 95 %
_PARTS = 20
_FEW = 50
_SHOWN = 5
_CERTAIN = 0.95


@dataclass(frozen=True, slots=True)
class Leak:
    """Values of a column that (nearly) always go with one class.

    `share` is the share of all rows that have such a value, `purity` the lowest lower bound among them,
    `is_copy` whether the column has one value for each class and never errs where it has one.
    """

    share: float
    purity: float
    is_copy: bool
    values: tuple[str, ...]


def find_leak(column: ColumnTally, *, purity: float) -> Leak | None:
    """Return the values whose rows belong to one class, with certainty; None where there are none.

    A value counts when the lower end of the 95 % Wilson interval (Wilson 1927) of its commonest class's
    share reaches `purity`, so a value seen a few times proves nothing. Where a class has more than half of
    all rows, the room for error shrinks with the share of the others: in a set with 99 % of one class every
    value goes with it nearly always. A column with many different numbers is cut into 20 parts of equal size.

    A column with one value for each class that never errs is a copy of the answer: there, all of its values
    together must reach 0.95, which 73 rows do, however few of the rows it covers.
    """
    names, table = _cells(column)
    n_known = int(table.sum())
    if n_known == 0 or np.count_nonzero(table.sum(axis=0)) < 2:
        return None
    n = table.sum(axis=1)
    top = table.max(axis=1)
    lower = _wilson_lower(top, n)
    is_copy = _is_copy(table)
    room = (1 - purity) * np.minimum(1, 2 * (1 - table.sum(axis=0) / n_known))
    given_away = np.full(len(n), fill_value=True) if is_copy else lower >= 1 - room[table.argmax(axis=1)]
    if not given_away.any():
        return None
    covered = n[given_away].sum() / n_known * (column.n_rows - column.n_missing) / column.n_rows
    shown = tuple(names[at] for at in np.flatnonzero(given_away)[:_SHOWN])
    return Leak(float(covered), float(lower[given_away].min()), is_copy, shown)


def _is_copy(table: NDArray[np.int64]) -> bool:
    seen = table[table.sum(axis=1) > 0]
    one_for_each = (seen > 0).sum(axis=1).max() == 1 and (seen > 0).sum(axis=0).max() == 1
    total = seen.sum(keepdims=True)[0]
    return bool(one_for_each and _wilson_lower(total, total)[0] >= _CERTAIN)


def _cells(column: ColumnTally) -> tuple[list[str], NDArray[np.int64]]:
    """Return a name and the counts by class of each value, or of each part of the numbers."""
    if column.values is not None and (len(column.values) <= _FEW or not len(column.sample)):
        return [clipped(str(value)) for value in column.values], column.by_class[:, :-1]
    n_classes = column.by_class.shape[1] - 1
    inner = np.linspace(0, 1, _PARTS + 1)[1:-1]
    edges = np.unique(np.quantile(column.sample, inner)) if len(column.sample) else np.empty(0)
    known = column.sample_class >= 0
    part = np.searchsorted(edges, column.sample, side="left")
    table = np.zeros((len(edges) + 1, n_classes), dtype=np.int64)
    np.add.at(table, (part[known], column.sample_class[known]), 1)
    return [f"{low:.6g} to {high:.6g}" for low, high in pairwise([-np.inf, *edges, np.inf])], table


def _wilson_lower(hits: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    n_safe = np.maximum(n, 1).astype(np.float64)
    p = hits / n_safe
    centre = p + _Z**2 / (2 * n_safe)
    reach = _Z * np.sqrt(p * (1 - p) / n_safe + _Z**2 / (4 * n_safe**2))
    return np.asarray(np.where(n > 0, (centre - reach) / (1 + _Z**2 / n_safe), 0.0))
