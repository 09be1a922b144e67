"""Group `validation`: when rows are good enough to learn from."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import model_validator

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = [
    "OutlierConfig",
    "QualityScoreWeights",
    "SeverityThresholds",
    "ValidationConfig",
    "ValidationDriftConfig",
    "ValidationRuleName",
]

ValidationRuleName = Literal[
    "schema",
    "missing",
    "missing_rows",
    "duplicates",
    "outliers",
    "class_balance",
    "constant",
    "leakage",
    "drift",
    "split_overlap",
    "split_drift",
]


class SeverityThresholds(Section):
    """The share of failing rows above which a rule speaks, by how loud; null is never."""

    warning: Share | None = setting("Above it: said, and work goes on")
    error: Share | None = setting("Above it: the graph stops")
    critical: Share | None = setting("Above it: the graph stops, and the report says so first")

    @model_validator(mode="after")
    def _check_levels_ascend(self) -> Self:
        given = [level for level in (self.warning, self.error, self.critical) if level is not None]
        if given != sorted(given):
            raise ValueError("warning, error and critical must not fall")
        return self


class OutlierConfig(Section):
    """What counts as far away."""

    iqr_factor: float = setting("Distances between the quartiles beyond them", gt=0)
    robust_z: float = setting("Median absolute deviations from the median", gt=0)


class ValidationDriftConfig(Section):
    """When two sets of rows count as different; both must hold."""

    jensen_shannon: float = setting("Jensen-Shannon distance of a column, base 2", gt=0, le=1)
    alpha: float = setting("Chance of a false alarm over all columns together", gt=0, lt=0.5)


class QualityScoreWeights(Section):
    """Weight of each part of the quality score; they sum to 100."""

    completeness: float = setting("Cells that are not missing", ge=0)
    validity: float = setting("Rows that keep every declared rule", ge=0)
    uniqueness: float = setting("Rows that repeat no other", ge=0)
    consistency: float = setting("Numbers that are no outliers, columns that are not constant", ge=0)

    @model_validator(mode="after")
    def _check_weights_sum_to_100(self) -> Self:
        total = self.completeness + self.validity + self.uniqueness + self.consistency
        if abs(total - 100) > 1e-9:
            raise ValueError(f"the weights sum to {total:g}; they must sum to 100")
        return self


class ValidationConfig(Section):
    """Rules with their levels, and what is done with bad rows."""

    rules: dict[ValidationRuleName, SeverityThresholds] = setting("One entry for each rule")
    outliers: OutlierConfig
    leakage_purity: float = setting(
        "Lower confidence bound of a value's purity that gives the label away", gt=0.5, le=1
    )
    leakage_share: Share = setting("Share of rows that such values must cover before it is called leakage")
    drift: ValidationDriftConfig
    score_weights: QualityScoreWeights
    quarantine: bool = setting("Set bad rows aside with their reasons instead of stopping")
    max_examples_per_rule: Positive = setting("Rows shown for one rule", unit="rows")
    pandera_max_rows: Positive = setting(
        "Up to this many rows Pandera itself checks; above it the compiled plan", unit="rows"
    )

    @model_validator(mode="after")
    def _check_every_rule_has_levels(self) -> Self:
        left_out = [name for name in get_args(ValidationRuleName) if name not in self.rules]
        if left_out:
            raise ValueError(f"rules: {', '.join(left_out)} is missing; write its levels down, null is never")
        return self
