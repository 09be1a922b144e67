"""Group `validation`: when rows are fit for training."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import model_validator

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = [
    "LeakageConfig",
    "OutlierConfig",
    "QualityScoreWeights",
    "SeverityThresholds",
    "ValidationConfig",
    "ValidationDriftConfig",
    "ValidationRuleName",
]

ValidationRuleName = Literal[
    "schema",
    "unseen",
    "missing",
    "missing_rows",
    "duplicates",
    "outliers",
    "class_balance",
    "constant",
    "leakage",
    "pure_values",
    "drift",
    "split_overlap",
    "split_drift",
]


class SeverityThresholds(Section):
    """Share of failing rows above which a rule fires, by severity; null: never."""

    warning: Share | None = setting("Above it: a warning")
    error: Share | None = setting("Above it: the graph stops")
    critical: Share | None = setting("Above it: the graph stops, and the report lists it first")

    @model_validator(mode="after")
    def _check_levels_ascend(self) -> Self:
        given = [level for level in (self.warning, self.error, self.critical) if level is not None]
        if given != sorted(given):
            raise ValueError("warning, error and critical must not fall")
        return self


class OutlierConfig(Section):
    """Which numbers are outliers."""

    iqr_factor: float = setting("Interquartile ranges beyond the quartiles", gt=0)
    robust_z: float = setting("Median absolute deviations from the median", gt=0)


class LeakageConfig(Section):
    """Lower ends of 95 % intervals from which a column reveals the class."""

    presence_purity: float = setting("Purity of the rows that have a value, or have none", gt=0.5, le=1)
    skill: float = setting("Critical success index of the column alone", gt=0, le=1)
    value_purity: float = setting("Purity of a single value, or of a bin of numbers", gt=0.5, le=1)


class ValidationDriftConfig(Section):
    """When two sets of rows differ: both thresholds must be exceeded."""

    jensen_shannon: float = setting("Jensen-Shannon distance of a feature, base 2", gt=0, le=1)
    alpha: float = setting("False alarm rate over all features together", gt=0, lt=0.5)


class QualityScoreWeights(Section):
    """Weight of each part of the quality score; they sum to 100."""

    completeness: float = setting("Values that are not missing", ge=0)
    validity: float = setting("Rows that pass every declared check", ge=0)
    uniqueness: float = setting("Rows that are not duplicates", ge=0)
    consistency: float = setting("Numbers that are not outliers, columns that are not constant", ge=0)

    @model_validator(mode="after")
    def _check_weights_sum_to_100(self) -> Self:
        total = self.completeness + self.validity + self.uniqueness + self.consistency
        if abs(total - 100) > 1e-9:
            raise ValueError(f"the weights sum to {total:g}; they must sum to 100")
        return self


class ValidationConfig(Section):
    """Rules with their severity thresholds, and the treatment of failing rows."""

    rules: dict[ValidationRuleName, SeverityThresholds] = setting("One entry for each rule")
    outliers: OutlierConfig
    leakage: LeakageConfig
    drift: ValidationDriftConfig
    score_weights: QualityScoreWeights
    quarantine: bool = setting("Quarantine failing rows instead of stopping")
    max_examples_per_rule: Positive = setting("Failing rows listed for one rule", unit="rows")
    pandera_max_rows: Positive = setting(
        "Largest table that Pandera checks; larger ones use the Arrow rules", unit="rows"
    )

    @model_validator(mode="after")
    def _check_every_rule_has_levels(self) -> Self:
        missing = [name for name in get_args(ValidationRuleName) if name not in self.rules]
        if missing:
            raise ValueError(f"rules: {', '.join(missing)} is missing; add its thresholds (null: never)")
        return self
