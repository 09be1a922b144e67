"""Group `drift`: thresholds of drift detection."""

from __future__ import annotations

from pipeline.config.groups.section import Section, Share, setting

__all__ = ["CategoricalDriftConfig", "DriftConfig", "MultivariateDriftConfig", "NumericDriftConfig"]


class NumericDriftConfig(Section):
    """Drift thresholds of numeric features."""

    wasserstein: float = setting("Wasserstein distance", unit="reference standard deviations", gt=0)
    missing: Share = setting("Change of the missing share")
    rare_values: Share = setting("Rise of the share of one rare value, or of values outside of training")
    rank_biserial: float = setting("Rank-biserial correlation, for columns with heavy tails", gt=0, le=1)


class CategoricalDriftConfig(Section):
    """Drift threshold of categories and of the bins of numbers; missing counts as a category."""

    jensen_shannon: float = setting("Jensen-Shannon distance, base 2", gt=0, le=1)


class MultivariateDriftConfig(Section):
    """Threshold of the domain classifier, which separates live rows from training rows."""

    auc: float = setting("Area under the ROC curve, out of fold; 0.5 is chance", gt=0.5, lt=1)
    max_rows: int = setting("Rows of each side", unit="rows", ge=200)


class DriftConfig(Section):
    """When a window of the prediction log drifts from the reference."""

    alpha: float = setting("False alarm rate over all features together", gt=0, lt=0.5)
    consecutive_windows: int = setting(
        "Windows in a row that must drift; before that the verdict is watch", unit="windows", ge=1, le=100
    )
    numeric: NumericDriftConfig
    categorical: CategoricalDriftConfig
    multivariate: MultivariateDriftConfig
