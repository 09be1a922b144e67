"""Compute the quality score of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.validation.outliers import find_outliers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.groups.validation_config import ValidationConfig
    from pipeline.schema import Schema
    from pipeline.validation.dataset_stats import DatasetStats

__all__ = ["QualityScore", "compute_quality_score"]


@dataclass(frozen=True, slots=True)
class QualityScore:
    """Four shares between 0 and 1 and their weighted sum, 0 to 100; `weights` are those of the shares, by name.

    - `completeness`: feature values that are not missing.
    - `validity`: rows that pass every declared rule, times the share of declared columns that can be read.
    - `uniqueness`: rows that do not repeat another.
    - `consistency`: the mean over features of: 0 where the column is constant, otherwise the share of its
      numbers that are not outliers.
    """

    completeness: float
    validity: float
    uniqueness: float
    consistency: float
    score: float
    weights: Mapping[str, float]

    def as_dict(self) -> dict[str, float]:
        """Return plain values with 6 significant digits."""
        shares = {name: getattr(self, name) for name in (*self.weights, "score")}
        return {name: float(f"{value:.6g}") for name, value in shares.items()}


def compute_quality_score(
    stats: DatasetStats, schema: Schema, config: ValidationConfig, *, n_failed_rows: int, n_unreadable_columns: int
) -> QualityScore:
    """Return the quality of rows, of which `n_failed_rows` break a declared rule."""
    n_rows = max(stats.n_rows, 1)
    feature_names = set(schema.feature_names)
    features = [column for column in stats.columns if column.name in feature_names]
    n_declared = len(schema.columns) + 1
    completeness = 1 - float(np.mean([column.n_missing / n_rows for column in features])) if features else 0.0
    validity = (1 - n_failed_rows / n_rows) * (1 - n_unreadable_columns / n_declared)
    uniqueness = 1 - stats.n_duplicates / n_rows
    inlier_shares = []
    for column in features:
        outliers = find_outliers(column, config.outliers)
        inlier_shares.append(0.0 if column.is_constant else 1.0 if outliers is None else 1 - outliers.n_iqr / n_rows)
    consistency = float(np.mean(inlier_shares)) if inlier_shares else 0.0
    weights = config.score_weights
    total = (
        weights.completeness * completeness
        + weights.validity * validity
        + weights.uniqueness * uniqueness
        + weights.consistency * consistency
    )
    return QualityScore(completeness, validity, uniqueness, consistency, total, weights.model_dump())
