"""Group `training`: how the estimator is fitted and cross-validated."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = ["ThresholdConfig", "TrainingConfig"]


class ThresholdConfig(Section):
    """Which score is high enough for the positive class (two classes only)."""

    rule: str = setting("Member of the table of rules: fixed, max_f1, max_balanced_accuracy, max_mcc")
    value: Share = setting("Threshold of the rule `fixed`")


class TrainingConfig(Section):
    """How the estimator is fitted and judged on the train part."""

    folds: int = setting("Parts of the stratified cross-validation", unit="folds", ge=2, le=50)
    n_jobs: Positive = setting("Folds fitted at once; results do not depend on it", unit="threads")
    calibration: Literal["none", "sigmoid", "isotonic"] = setting("Map from score to probability")
    class_weight: Literal["balanced"] | None = setting("Whether rare classes weigh more")
    threshold: ThresholdConfig
    selection_metric: str = setting("Metric that sweeps compare")
    golden_rows: Positive = setting("Rows kept in the package with their expected probabilities", unit="rows")
    reference_bins: int = setting("Bins by column of the drift reference", unit="bins", ge=2, le=100)
