"""Group `validation`: when rows are good enough to learn from."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from pipeline.config.groups.base import Positive, Section, Share, setting

__all__ = ["Levels", "OutlierConfig", "RuleName", "ValidationConfig"]

RuleName = Literal[
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


class Levels(Section):
    """The share of failing rows above which a rule speaks, by how loud; null is never."""

    warning: Share | None = setting("Above it: said, and work goes on")
    error: Share | None = setting("Above it: the graph stops")
    critical: Share | None = setting("Above it: the graph stops, and the report says so first")

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        given = [level for level in (self.warning, self.error, self.critical) if level is not None]
        if given != sorted(given):
            raise ValueError("warning, error and critical must not fall")
        return self


class OutlierConfig(Section):
    """What counts as far away."""

    iqr_factor: float = setting("Distances between the quartiles beyond them", gt=0)
    robust_z: float = setting("Median absolute deviations from the median", gt=0)


class ValidationConfig(Section):
    """Rules with their levels, and what is done with bad rows."""

    rules: dict[RuleName, Levels]
    outliers: OutlierConfig
    leakage_purity: float = setting(
        "Lower confidence bound of a value's purity that gives the label away", gt=0.5, le=1
    )
    leakage_share: Share = setting("Share of rows that such values must cover before it is called leakage")
    score_weights: dict[str, float] = setting("Weight of each part of the quality score; they sum to 100")
    quarantine: bool = setting("Set bad rows aside with their reasons instead of stopping")
    max_examples: Positive = setting("Rows shown for one rule", unit="rows")
    plain_rows: Positive = setting(
        "Up to this many rows Pandera itself checks; above it the compiled plan", unit="rows"
    )
