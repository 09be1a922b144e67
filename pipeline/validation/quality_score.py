"""Sum up the quality of rows in one number."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.validation.outliers import find_outliers

if TYPE_CHECKING:
    from pipeline.config.groups.validation_config import ValidationConfig
    from pipeline.schema import Schema
    from pipeline.validation.dataset_stats import DatasetStats

__all__ = ["QualityScore", "compute_quality_score"]


@dataclass(frozen=True, slots=True)
class QualityScore:
    """Four shares between 0 and 1 and their weighted sum, 0 to 100.

    - `completeness`: cells of features that are not missing.
    - `validity`: rows that keep every declared rule, times the share of declared columns that can be read.
    - `uniqueness`: rows that repeat no other.
    - `consistency`: the mean over features of: 0 where the column is constant, otherwise the share of its
      numbers that are no outliers.
    """

    completeness: float
    validity: float
    uniqueness: float
    consistency: float
    score: float

    def as_dict(self) -> dict[str, float]:
        """Return plain values with 6 significant digits."""
        return {name: float(f"{value:.6g}") for name, value in asdict(self).items()}


def compute_quality_score(
    stats: DatasetStats, schema: Schema, config: ValidationConfig, *, n_failed_rows: int, n_unreadable_columns: int
) -> QualityScore:
    """Return the quality of counted rows; `n_bad` of them break a rule, `n_broken` columns cannot be read."""
    n_rows = max(stats.n_rows, 1)
    features = [one for one in stats.columns if one.name in set(schema.feature_names)]
    n_declared = len(schema.columns) + 1
    completeness = 1 - float(np.mean([one.n_missing / n_rows for one in features])) if features else 0.0
    validity = (1 - n_failed_rows / n_rows) * (1 - n_unreadable_columns / n_declared)
    uniqueness = 1 - stats.n_duplicates / n_rows
    regular = []
    for one in features:
        found = find_outliers(one, config.outliers)
        is_constant = one.n_distinct is not None and one.n_distinct <= 1
        regular.append(0.0 if is_constant else 1.0 if found is None else 1 - found.n_iqr / n_rows)
    consistency = float(np.mean(regular)) if regular else 0.0
    weights = config.score_weights
    total = (
        weights.completeness * completeness
        + weights.validity * validity
        + weights.uniqueness * uniqueness
        + weights.consistency * consistency
    )
    return QualityScore(completeness, validity, uniqueness, consistency, total)
