"""Groups `features`, `model`, `training`, `evaluation`: how rows become a model and its figures."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = [
    "EstimatorInputsConfig",
    "EvaluationConfig",
    "FeaturesConfig",
    "ModelConfig",
    "SliceConfig",
    "ThresholdConfig",
    "TrainingConfig",
]


class FeaturesConfig(Section):
    """How declared columns become numbers; `auto` follows what the model says it wants."""

    missing: Literal["auto", "native", "impute"] = setting("Leave missing values to the estimator, or fill them")
    imputation: Literal["median", "mean"] = setting("What a missing number is filled with, where it is filled")
    missing_indicators: Literal["auto", "always", "never"] = setting("Whether a column tells that another was missing")
    categories: Literal["auto", "codes", "one_hot"] = setting("How words become numbers")
    scale: Literal["auto", "none", "standard"] = setting("Whether numbers are brought to mean 0 and deviation 1")


class EstimatorInputsConfig(Section):
    """What an estimator wants its numbers to be like."""

    missing: Literal["native", "impute"] = setting("Whether it takes missing values as they are")
    categories: Literal["codes", "one_hot"] = setting("How it wants words")
    scale: Literal["none", "standard"] = setting("Whether it wants scaled numbers")


class ModelConfig(Section):
    """One estimator by import path with its arguments, and what it wants."""

    name: str = setting("Name for people and for runs", pattern=r"^[a-z][a-z0-9_]*$")
    estimator: dict[str, Any] = setting("`_target_` with the arguments of the class; members may be nested")
    inputs: EstimatorInputsConfig


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


class SliceConfig(Section):
    """Which parts of the test rows are judged on their own."""

    quantiles: int = setting("Parts that a numeric column is cut into", unit="parts", ge=2, le=20)
    min_rows: Positive = setting("Smaller slices are not judged", unit="rows")
    metric: str = setting("Metric that orders slices, worst first")


class EvaluationConfig(Section):
    """Which figures are reported, and how certain they are."""

    metrics: Annotated[tuple[str, ...], Field(min_length=1)] = setting("Members of the metric table")
    confidence_level: float = setting("Level of the intervals", gt=0.5, lt=1)
    bootstrap_samples: int = setting("Bootstrap resamples", unit="resamples", ge=100, le=100_000)
    slices: SliceConfig
    importance_repeats: Positive = setting("Permutations by column", unit="repeats")
    calibration_bins: int = setting("Bins of the calibration curve and its error", unit="bins", ge=2, le=100)
