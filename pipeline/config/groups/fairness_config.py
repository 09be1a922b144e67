"""Group `fairness`: which groups must not be treated worse, and how sure a verdict must be."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from pipeline.config.groups.section import Positive, Section, setting

__all__ = ["FairnessConfig", "FairnessLimitConfig", "FairnessMetricName", "MitigationConfig"]

FairnessMetricName = Literal["selection_rate", "true_positive_rate", "false_positive_rate", "log_loss"]


class FairnessLimitConfig(Section):
    """The largest difference between a group and all other rows; exactly one of the keys."""

    min_ratio: float | None = setting("Smallest ratio of the smaller to the larger rate", default=None, gt=0, lt=1)
    max_gap: float | None = setting("Largest absolute difference", unit="unit of the metric", default=None, gt=0)

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if (self.min_ratio is None) is (self.max_gap is None):
            raise ValueError(
                f"found min_ratio {self.min_ratio} and max_gap {self.max_gap}; expected exactly one of them"
            )
        return self


class MitigationConfig(Section):
    """How training reduces a difference between groups."""

    kind: Literal["none", "reweigh", "thresholds"] = setting(
        "Nothing, row weights at training, or a decision threshold for each group"
    )
    column: str | None = setting("Protected category or boolean column")
    metric: Literal["selection_rate", "true_positive_rate", "false_positive_rate"] | None = setting(
        "Metric that `thresholds` brings within its limit"
    )
    reason: str | None = setting("Why the use of the column is lawful", max_length=500)
    budget: float = setting("Largest worsening of promotion.metric, or of accuracy", ge=0)

    @model_validator(mode="after")
    def _check_needed(self) -> Self:
        needed = {"none": (), "reweigh": ("column", "reason"), "thresholds": ("column", "metric", "reason")}[self.kind]
        for key in needed:
            if not getattr(self, key):
                raise ValueError(f"{key}: found null; `kind: {self.kind}` needs it, or write `kind: none`")
        return self


class FairnessConfig(Section):
    """Which groups are compared by which metrics, and what follows from a verdict."""

    pairs: list[tuple[str, str]] = setting("Pairs of protected columns whose combinations are groups")
    metrics: dict[FairnessMetricName, FairnessLimitConfig] = setting("Limit of each metric", min_length=1)
    confidence_level: float = setting("Level over all groups and metrics together", gt=0.5, lt=1)
    min_rows: Positive = setting("Fewest rows of a group for a verdict", unit="rows")
    min_class_rows: Positive = setting("Fewest rows of the class that a rate is of", unit="rows")
    suppress_below: Positive = setting("Smaller numbers of rows are not shown", unit="rows")
    gate: Literal["report", "hold", "fail"] = setting("Result of the gate when a group fails; report: it passes")
    mitigation: MitigationConfig

    @model_validator(mode="after")
    def _check_mitigated_metric(self) -> Self:
        metric = self.mitigation.metric
        if metric is not None and metric not in self.metrics:
            raise ValueError(f"mitigation.metric: found {metric}; expected one of {', '.join(self.metrics)}")
        return self
