"""Test the columns of two sets of rows for drift, by counts in bins of the reference rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics.divergence import jensen_shannon

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.validation_config import ValidationDriftConfig
    from pipeline.schema import Schema
    from pipeline.validation.column_stats import ColumnStats
    from pipeline.validation.dataset_stats import DatasetStats

__all__ = ["DriftTestResult", "compare_distributions"]

_N_BINS = 10
_MAX_DISTINCT = 50


@dataclass(frozen=True, slots=True)
class DriftTestResult:
    """The drift test of one column; it has drifted when the distance is large and significant.

    `distance` is the Jensen-Shannon distance (base 2, 0 to 1), `p_value` that of the chi-squared test of
    homogeneity, `alpha` the significance level after Bonferroni's correction for the number of columns.
    """

    column: str
    distance: float
    threshold: float
    p_value: float
    alpha: float

    @property
    def has_drifted(self) -> bool:
        """Whether the distance exceeds its threshold and the p-value is below alpha."""
        return self.distance > self.threshold and self.p_value < self.alpha

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 6 significant digits."""
        statistics = {name: value for name, value in asdict(self).items() if name != "column"}
        rounded = {name: float(f"{value:.6g}") for name, value in statistics.items()}
        return {"column": self.column, **rounded, "drifted": self.has_drifted}


def compare_distributions(
    reference: DatasetStats, current: DatasetStats, schema: Schema, thresholds: ValidationDriftConfig
) -> tuple[DriftTestResult, ...]:
    """Return the drift of each feature and of the target that both sides have, in the declared order.

    Missing values are a bin. Texts, dates and categories beyond 2,000 are not compared.
    """
    names = [column.name for column in schema.features if column.kind not in ("text", "datetime")]
    sides = [{column.name: column for column in stats.columns} for stats in (reference, current)]
    pairs = [
        tuple(side[name] for side in sides)
        for name in (*names, schema.target.column)
        if all(name in side for side in sides)
    ]
    tables = [(name, table) for name, table in ((a.name, _bin_counts(a, b)) for a, b in pairs) if table is not None]
    results = []
    for name, counts in tables:
        p_value = _chi_squared_p_value(counts)
        distance = jensen_shannon(counts[0], counts[1])
        results.append(
            DriftTestResult(name, distance, thresholds.jensen_shannon, p_value, thresholds.alpha / len(tables))
        )
    return tuple(results)


def _bin_counts(reference: ColumnStats, current: ColumnStats) -> NDArray[np.float64] | None:
    """Return the counts of both sides in the bins of `reference`, the missing ones last, shape (2, n_bins + 1)."""
    values = None
    if reference.values is not None and current.values is not None:
        values = sorted({*reference.values, *current.values}, key=str)
    is_numeric = reference.kind in ("integer", "float")
    if values is not None and (len(values) <= _MAX_DISTINCT or not is_numeric):
        parts = [_count_by_value(reference, values), _count_by_value(current, values)]
    elif is_numeric:
        edges = _bin_edges(reference.sample)
        parts = [_count_by_bin(reference, edges), _count_by_bin(current, edges)]
    else:
        return None
    sides = zip(parts, (reference, current), strict=True)
    return np.array([np.append(part, side.n_missing) for part, side in sides], dtype=np.float64)


def _bin_edges(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles as upper ends of bins; a value that spans several, and all beyond the range, have their own."""
    if not len(numbers):
        return np.empty(0)
    quantiles = np.quantile(numbers, np.linspace(0, 1, _N_BINS + 1))
    frequent = quantiles[1:][np.diff(quantiles) == 0]
    below = np.nextafter([quantiles[0], *frequent], -np.inf)
    return np.unique([*below, *quantiles[1:]])


def _count_by_value(column: ColumnStats, values: list[object]) -> NDArray[np.float64]:
    counts = dict(zip(column.values or (), column.counts.tolist(), strict=True))
    return np.array([counts.get(value, 0) for value in values], dtype=np.float64)


def _count_by_bin(column: ColumnStats, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.bincount(np.searchsorted(edges, column.sample, side="left"), minlength=len(edges) + 1)
    n_present = column.n_rows - column.n_missing
    return counts.astype(np.float64) * (n_present / max(len(column.sample), 1))


def _chi_squared_p_value(counts: NDArray[np.float64]) -> float:
    """Return the p-value of the chi-squared test that both rows of counts have equal shares (Pearson 1900)."""
    from scipy.special import chdtrc

    non_empty = counts[:, counts.sum(axis=0) > 0]
    total = non_empty.sum()
    if non_empty.shape[1] < 2 or (non_empty.sum(axis=1) == 0).any():
        return 1.0
    expected = non_empty.sum(axis=1, keepdims=True) * non_empty.sum(axis=0, keepdims=True) / total
    statistic = ((non_empty - expected) ** 2 / expected).sum()
    return float(chdtrc(non_empty.shape[1] - 1, statistic))
