"""Compare the columns of two sets of rows by counts in bins that the first of them fixes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.checking import DriftLimits
    from pipeline.validation.tally import ColumnTally, Tally

__all__ = ["ColumnDrift", "find_drift", "jensen_shannon"]

_PARTS = 10
_FEW = 50


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """How far one column moved; it drifts when the distance is large and is no accident.

    `distance` is the Jensen-Shannon distance (base 2, 0 to 1), `p_value` that of the chi-squared test of
    homogeneity, `alpha` its limit after Bonferroni's correction for the number of columns.
    """

    column: str
    distance: float
    limit: float
    p_value: float
    alpha: float

    @property
    def drifted(self) -> bool:
        """Whether both the size of the effect and its significance speak."""
        return self.distance > self.limit and self.p_value < self.alpha

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 6 significant digits."""
        figures = {name: value for name, value in asdict(self).items() if name != "column"}
        rounded = {name: float(f"{value:.6g}") for name, value in figures.items()}
        return {"column": self.column, **rounded, "drifted": self.drifted}


def find_drift(reference: Tally, current: Tally, limits: DriftLimits) -> tuple[ColumnDrift, ...]:
    """Return the drift of each column that both have, in the order of `reference`; missing is a bin of its own."""
    names = {one.name for one in current.columns}
    shared = [one for one in reference.columns if one.name in names and one.kind not in ("text", "datetime")]
    found = []
    for column in shared:
        counts = np.array(_binned(column, current.column(column.name)), dtype=np.float64)
        p_value = _homogeneity(counts)
        distance = jensen_shannon(counts[0], counts[1])
        found.append(ColumnDrift(column.name, distance, limits.jensen_shannon, p_value, limits.alpha / len(shared)))
    return tuple(found)


def _binned(reference: ColumnTally, current: ColumnTally) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if reference.values is not None and current.values is not None and len(reference.values) <= _FEW:
        values = sorted({*reference.values, *current.values}, key=str)
        before, after = _by_value(reference, values), _by_value(current, values)
    else:
        edges = np.unique(np.quantile(reference.sample, np.linspace(0, 1, _PARTS + 1)[1:-1]))
        before, after = _by_part(reference, edges), _by_part(current, edges)
    return np.append(before, reference.n_missing), np.append(after, current.n_missing)


def _by_value(column: ColumnTally, values: list[object]) -> NDArray[np.float64]:
    counts = dict(zip(column.values or (), column.counts.tolist(), strict=True))
    return np.array([counts.get(value, 0) for value in values], dtype=np.float64)


def _by_part(column: ColumnTally, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.bincount(np.searchsorted(edges, column.sample, side="left"), minlength=len(edges) + 1)
    n_there = column.n_rows - column.n_missing
    return counts.astype(np.float64) * (n_there / max(len(column.sample), 1))


def jensen_shannon(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return the Jensen-Shannon distance of two rows of counts (Lin 1991; Endres and Schindelin 2003).

    Returns
    -------
    float, 0 to 1
        Base 2; 0 when the shares agree, 1 when no bin is used by both.
    """
    p, q = before / max(before.sum(), 1), after / max(after.sum(), 1)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())


def _homogeneity(counts: NDArray[np.float64]) -> float:
    """Return the p-value of the chi-squared test that both rows of counts have equal shares (Pearson 1900)."""
    from scipy.special import chdtrc

    used = counts[:, counts.sum(axis=0) > 0]
    total = used.sum()
    if used.shape[1] < 2 or (used.sum(axis=1) == 0).any():
        return 1.0
    expected = used.sum(axis=1, keepdims=True) * used.sum(axis=0, keepdims=True) / total
    statistic = ((used - expected) ** 2 / expected).sum()
    return float(chdtrc(used.shape[1] - 1, statistic))
