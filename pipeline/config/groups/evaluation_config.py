"""Group `evaluation`: which metrics are computed on the test part, with which intervals."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.config.groups.section import Positive, Section, setting

__all__ = ["EvaluationConfig", "SliceConfig"]


class SliceConfig(Section):
    """Which slices of the test rows are evaluated."""

    quantiles: int = setting("Quantile slices of a numeric feature", unit="slices", ge=2, le=20)
    min_rows: Positive = setting("Smaller slices are not evaluated", unit="rows")
    metric: str = setting("Metric that orders slices, worst first")


class EvaluationConfig(Section):
    """Which metrics are computed, with which intervals."""

    metrics: Annotated[tuple[str, ...], Field(min_length=1)] = setting("Metrics to compute")
    confidence_level: float = setting("Level of the intervals", gt=0.5, lt=1)
    slices: SliceConfig
    importance_repeats: Positive = setting("Permutations of each feature", unit="repeats")
    calibration_bins: int = setting("Bins of the calibration curve and of `ece`", unit="bins", ge=2, le=100)
