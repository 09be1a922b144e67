"""Group `drift`: thresholds of drift detection."""

from __future__ import annotations

from pipeline.config.groups.section import Section, Share, setting

__all__ = ["CategoricalDriftConfig", "DriftConfig", "MultivariateDriftConfig", "NumericDriftConfig"]


class NumericDriftConfig(Section):
    """Limits for numbers."""

    wasserstein: float = setting("Wasserstein distance", unit="reference standard deviations", gt=0)
    missing: Share = setting("Change of the share of missing values")


class CategoricalDriftConfig(Section):
    """Limits for words, where missing is one of them."""

    jensen_shannon: float = setting("Jensen-Shannon distance, base 2", gt=0, le=1)


class MultivariateDriftConfig(Section):
    """When a model that tells live rows from training rows is right too often."""

    auc: float = setting("Area under the ROC curve, out of fold; 0.5 is guessing", gt=0.5, lt=1)
    max_rows: int = setting("Rows of each side that it looks at", unit="rows", ge=200)


class DriftConfig(Section):
    """How far a live window may move from the reference before we speak up."""

    alpha: float = setting("Chance of a false alarm over all columns together", gt=0, lt=0.5)
    consecutive_windows: int = setting(
        "Windows in a row that must show it; before that it is watched", unit="windows", ge=1, le=100
    )
    numeric: NumericDriftConfig
    categorical: CategoricalDriftConfig
    multivariate: MultivariateDriftConfig
