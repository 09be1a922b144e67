"""Group `promotion`: which gates a candidate must pass, and which stage it gets."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Section, setting

__all__ = ["BaselineGatesConfig", "PromotionConfig", "SliceGateConfig"]


class BaselineGatesConfig(Section):
    """What a candidate must show against each baseline on the test rows; null evaluates no gate."""

    majority: Literal["significantly_better", "better", "not_worse"] | None = setting("Against the class shares")
    depth_2_tree: Literal["significantly_better", "better", "not_worse"] | None = setting(
        "Against a decision tree of depth 2"
    )


class SliceGateConfig(Section):
    """How much worse than the champion a slice may be."""

    metric: str = setting("Metric of the slices")
    max_worsening: float = setting("Largest worsening of a slice", unit="unit of the metric", ge=0)


class PromotionConfig(Section):
    """Gates of a candidate, and the stage of one that passes."""

    policy: Literal["manual", "staging", "production"] = setting("Stage that a passing candidate gets automatically")
    register_experiments: bool = setting("Whether `dvc exp run` registers its candidate")
    metric: str = setting("Metric that compares candidate and champion")
    test: Literal["superiority", "non_inferiority"] = setting(
        "Significantly better, or not worse by more than the margin"
    )
    margin: float = setting("Margin of non-inferiority", unit="unit of the metric", ge=0)
    confidence_level: float = setting("Level of the intervals", gt=0.5, lt=1)
    baselines: BaselineGatesConfig
    metric_limits: dict[str, float] = setting("Worst accepted value on the test rows, by metric")
    slices: SliceGateConfig
    max_latency_ms: float = setting("Largest latency of one row", unit="ms", gt=0)
    max_size_mb: float = setting("Largest package", unit="MB", gt=0)
    require_onnx: bool = setting("Whether a package needs an ONNX file")
    allow_schema_break: bool = setting("Whether features may change in a way that breaks clients")
