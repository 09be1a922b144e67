"""Group `training`: how the estimator is fitted and cross-validated."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = ["ThresholdConfig", "TrainingConfig"]


class ThresholdConfig(Section):
    """Decision threshold of the positive class (two classes only)."""

    rule: str = setting("Rule: fixed, max_f1, max_balanced_accuracy, max_mcc")
    value: Share = setting("Threshold of the rule `fixed`")


class TrainingConfig(Section):
    """How the estimator is fitted and cross-validated on the train part."""

    folds: int = setting("Folds of the stratified cross-validation", unit="folds", ge=2, le=50)
    n_jobs: Positive = setting("Folds fitted in parallel; does not affect the results", unit="threads")
    calibration: Literal["none", "sigmoid", "isotonic"] = setting("Calibration of probabilities")
    class_weight: Literal["balanced"] | None = setting("Whether to balance class weights")
    threshold: ThresholdConfig
    selection_metric: str = setting("Metric that sweeps compare")
    golden_rows: Positive = setting("Rows stored in the package with their expected probabilities", unit="rows")
    reference_bins: int = setting("Bins of each feature in the drift reference", unit="bins", ge=2, le=100)
