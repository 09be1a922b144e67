"""Detect target leakage: columns that reveal the class by their values, or by where they have none."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.validation.findings import shorten_text
from pipeline.validation.single_column_skill import measure_skill, wilson_lower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.validation_config import LeakageConfig
    from pipeline.validation.column_stats import ColumnStats

__all__ = ["LeakageEvidence", "TargetLeakage", "detect_leakage"]

LeakageEvidence = Literal["copy", "presence", "skill", "values"]

_N_BINS = 20
_MAX_DISTINCT = 50
_MAX_EXAMPLES = 5
_MIN_COPY_PURITY = 0.95


@dataclass(frozen=True, slots=True)
class TargetLeakage:
    """How a column reveals the class.

    Attributes
    ----------
    evidence : str
        `copy`: each value occurs with one class and each class with one value. `presence`: where the column has a
        value, or where it has none, nearly all rows are of one class. `skill`: the column alone predicts the class.
        `values`: single values occur with one class (nearly) always.
    share : float, 0 to 1
        Share of all rows that the evidence covers.
    purity : float, 0 to 1
        Lower end of the 95 % interval of the statistic that the evidence rests on.
    examples : tuple of str
        Values; for `presence` the side, `present` or `missing`.
    """

    evidence: LeakageEvidence
    share: float
    purity: float
    examples: tuple[str, ...] = ()


def detect_leakage(column: ColumnStats, config: LeakageConfig) -> TargetLeakage | None:
    """Return the strongest evidence that a column reveals the class; None where there is none.

    Every statistic must reach its limit with the lower end of its 95 % Wilson interval (Wilson 1927), so few rows
    prove nothing. Where a class has more than half of all rows, the tolerated error shrinks with the share of the
    others: with 99 % of one class nearly every value occurs with it.

    Parameters
    ----------
    column : ColumnStats
    config : LeakageConfig
        The limits of purity, presence and skill.
    """
    names, table = _contingency_table(column)
    if np.count_nonzero(column.present_by_class[:-1] + column.missing_by_class[:-1]) < 2:
        return None
    return (
        _detect_copy(column, names, table)
        or _detect_presence(column, limit=config.presence_purity)
        or _detect_skill(column, limit=config.skill)
        or _detect_pure_values(column, names, table, limit=config.value_purity)
    )


def _detect_copy(column: ColumnStats, names: list[str], table: NDArray[np.int64]) -> TargetLeakage | None:
    """Return a column with one value for each class and no error, from 73 rows on."""
    purity = _copy_purity(table)
    if purity < _MIN_COPY_PURITY:
        return None
    return TargetLeakage("copy", _present_share(column), purity, tuple(names[:_MAX_EXAMPLES]))


def _copy_purity(table: NDArray[np.int64]) -> float:
    """Return the lower bound of the purity of all rows together; 0 unless values and classes pair up without error."""
    seen = table[table.sum(axis=1) > 0] > 0
    if len(seen) < 2 or seen.sum(axis=1).max() > 1 or seen.sum(axis=0).max() > 1:
        return 0.0
    n_known = np.array([table.sum()])
    return float(wilson_lower(n_known, n_known)[0])


def _detect_presence(column: ColumnStats, *, limit: float) -> TargetLeakage | None:
    """Return a column that is filled in, or empty, for rows of one class, and for a twentieth of that class or more.

    What is recorded only after the outcome shows in this way.
    """
    table = np.stack([column.present_by_class[:-1], column.missing_by_class[:-1]])
    totals, n = table.sum(axis=0), table.sum(axis=1)
    if not n.all():
        return None
    top = table.argmax(axis=1)
    covers_class = table.max(axis=1) >= totals[top] / 20
    lower = wilson_lower(table.max(axis=1), n)
    is_leaking = (lower >= 1 - _max_error(totals, limit)[top]) & covers_class
    if _copy_purity(table) >= _MIN_COPY_PURITY:
        is_leaking[:] = True
    if not is_leaking.any():
        return None
    sides = tuple(name for name, leaks in zip(("present", "missing"), is_leaking, strict=True) if leaks)
    return TargetLeakage("presence", float(n[is_leaking].sum() / n.sum()), float(lower[is_leaking].min()), sides)


def _detect_skill(column: ColumnStats, *, limit: float) -> TargetLeakage | None:
    skill = measure_skill(column)
    return None if skill.lower < limit else TargetLeakage("skill", _present_share(column), skill.lower)


def _detect_pure_values(
    column: ColumnStats, names: list[str], table: NDArray[np.int64], *, limit: float
) -> TargetLeakage | None:
    if not table.sum():
        return None
    n = table.sum(axis=1)
    lower = wilson_lower(table.max(axis=1), n)
    is_pure = lower >= 1 - _max_error(table.sum(axis=0), limit)[table.argmax(axis=1)]
    if not is_pure.any():
        return None
    share = n[is_pure].sum() / table.sum() * _present_share(column)
    values = tuple(names[at] for at in np.flatnonzero(is_pure)[:_MAX_EXAMPLES])
    return TargetLeakage("values", float(share), float(lower[is_pure].min()), values)


def _max_error(totals: NDArray[np.int64], purity: float) -> NDArray[np.float64]:
    """Return the tolerated error of rows whose most frequent class is each of the classes."""
    return np.asarray((1 - purity) * np.minimum(1, 2 * (1 - totals / totals.sum())))


def _present_share(column: ColumnStats) -> float:
    return (column.n_rows - column.n_missing) / column.n_rows


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
    return _bin_names(edges.tolist()), table


def _bin_names(edges: list[float]) -> list[str]:
    if not edges:
        return ["any number"]
    inner = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
    return [f"up to {edges[0]:.6g}", *inner, f"above {edges[-1]:.6g}"]
