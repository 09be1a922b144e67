"""Find numbers that lie far from the bulk of their column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.config.groups.validation_config import OutlierConfig
    from pipeline.validation.column_stats import ColumnStats

__all__ = ["Outliers", "find_outliers"]

_MAD_TO_STD = 1.4826  # the median absolute deviation of a normal distribution has this factor


@dataclass(frozen=True, slots=True)
class Outliers:
    """The number of outliers of a column, and the fences beyond which they lie.

    Counts are those of all rows where the column has at most 2,000 different values or 200,000 rows;
    otherwise they are scaled up from evenly spaced rows.
    """

    low: float
    high: float
    n_iqr: int
    n_robust_z: int


def find_outliers(column: ColumnStats, config: OutlierConfig) -> Outliers | None:
    """Return the outliers of a column of numbers; None where it has no spread.

    A number is an outlier when it lies more than `iqr_factor` interquartile ranges beyond a quartile
    (Tukey 1977), and by a robust z when it lies more than `robust_z` scaled median absolute deviations
    from the median (Iglewicz and Hoaglin 1993).
    """
    if column.kind not in ("integer", "float") or not len(column.sample):
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # a distance that overflows is infinite: no number exceeds it
        return _count_beyond_fences(column, config)


def _count_beyond_fences(column: ColumnStats, config: OutlierConfig) -> Outliers | None:
    shown = column.shown_sample  # messages name the fences
    if not len(shown):
        return None
    lower, median, upper = np.quantile(shown, [0.25, 0.5, 0.75])
    spread = (upper - lower) * config.iqr_factor
    if spread == 0:
        return None
    fences = (float(lower - spread), float(upper + spread))
    deviation = float(np.median(np.abs(shown - median))) * _MAD_TO_STD
    margin = deviation * config.robust_z
    robust_fences = (float(median - margin), float(median + margin))
    n_robust_z = _count_outside(column, *robust_fences) if deviation else 0
    return Outliers(*fences, _count_outside(column, *fences), n_robust_z)


def _count_outside(column: ColumnStats, low: float, high: float) -> int:
    if column.values is not None:
        values = np.array(column.values, dtype=np.float64)
        return int(column.counts[(values < low) | (values > high)].sum())
    outside = np.count_nonzero((column.sample < low) | (column.sample > high))
    return round(outside * (column.n_rows - column.n_missing) / len(column.sample))
