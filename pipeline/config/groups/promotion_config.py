"""Group `promotion`: which gates a candidate must pass, and where it goes then."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Section, setting

__all__ = ["PromotionConfig", "SliceGateConfig"]


class SliceGateConfig(Section):
    """How much worse than the champion a part of the rows may become."""

    metric: str = setting("Member of the metric table")
    max_worsening: float = setting("Largest worsening of a slice", unit="unit of the metric", ge=0)


class PromotionConfig(Section):
    """What a candidate must show, and what becomes of one that passes."""

    policy: Literal["manual", "staging", "production"] = setting("Where a passing candidate goes by itself")
    register_experiments: bool = setting("Whether `dvc exp run` registers its candidate")
    metric: str = setting("Member of the metric table by which candidate and champion are compared")
    test: Literal["superiority", "non_inferiority"] = setting(
        "Better beyond chance, or not worse by more than the margin"
    )
    margin: float = setting("Margin of non-inferiority", unit="unit of the metric", ge=0)
    confidence_level: float = setting("Level of the intervals", gt=0.5, lt=1)
    bootstrap_samples: int = setting("Paired bootstrap resamples", unit="resamples", ge=100, le=100_000)
    baselines: tuple[Literal["majority", "depth_2_tree"], ...] = setting("Baselines to be better than")
    metric_limits: dict[str, float] = setting("Worst accepted figure on the test rows, by metric")
    slices: SliceGateConfig
    max_latency_ms: float = setting("Longest time for one row", unit="ms", gt=0)
    max_size_mb: float = setting("Largest package", unit="MB", gt=0)
    require_onnx: bool = setting("Whether a package without an ONNX form is refused")
    allow_schema_break: bool = setting("Whether the columns may change in a way that breaks callers")
