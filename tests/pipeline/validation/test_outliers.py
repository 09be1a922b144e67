from __future__ import annotations

import numpy as np

from pipeline.validation.outliers import Outliers, find_outliers
from tests.pipeline.validation.validation_samples import LIMITS, stats_of


def test_outliers_lie_beyond_the_fences_of_tukey_and_of_the_robust_z() -> None:
    count = [*range(1, 10), 1000]
    column = stats_of(count=count).column("count")
    lower, upper = np.quantile(count, [0.25, 0.75])
    fences = (lower - 3 * (upper - lower), upper + 3 * (upper - lower))
    assert find_outliers(column, LIMITS.outliers) == Outliers(*fences, n_iqr=1, n_robust_z=1)


def test_infinity_is_an_outlier_and_is_excluded_from_statistics() -> None:
    stats = stats_of(size=[1.0, 2.0, 3.0, 4.0, np.inf])
    column = stats.column("size")
    assert (column.high, find_outliers(column, LIMITS.outliers).n_iqr) == (4.0, 1)  # type: ignore[union-attr]
