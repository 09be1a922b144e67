"""Group `lifecycle`: what the loop may do without a person."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = [
    "CanaryConfig",
    "CanaryStepConfig",
    "LabelGuardsConfig",
    "LifecycleConfig",
    "RetrainConfig",
    "RetrainGateConfig",
    "RetrainTriggersConfig",
    "SelectConfig",
    "TrialConfig",
    "WatchConfig",
]


class TrialConfig(Section):
    """How a challenger is compared with the champion."""

    method: Literal["replay", "live", "split"] = setting("Where the predictions of the challenger come from")
    metric: Literal["log_loss", "brier", "accuracy"] = setting("Metric that compares challenger and champion")
    test: Literal["superiority", "non_inferiority"] = setting(
        "Significantly better, or not worse by more than the margin"
    )
    margin: float = setting("Margin of non-inferiority", unit="unit of the metric", ge=0)
    alpha: float = setting("Chance of a false decision over all looks and challengers", gt=0, lt=0.5)
    unit: Literal["hour", "row"] = setting("Independent unit of the comparison")
    min_outcomes: Positive = setting("Fewest outcomes before a decision")
    min_units: Positive = setting("Fewest units before a decision")
    target_units: Positive = setting("Number of units at which the interval is narrowest")
    max_days: float = setting("Longest trial; then it is undecided", unit="days", gt=0)
    max_challengers: Positive = setting("Most open trials")
    max_disagreement: Share = setting("Share of rows with another class above which a person decides")


class CanaryStepConfig(Section):
    """A step of the canary: its share of requests, and what must pass before the next one."""

    share: float = setting("Share of the requests", gt=0, le=1)
    min_hours: float = setting("Shortest duration", unit="h", ge=0)
    min_predictions: int = setting("Fewest predictions of the challenger", ge=0)


class CanaryConfig(Section):
    """How a challenger gets requests in steps, and what stops it."""

    steps: list[CanaryStepConfig] = setting("Steps in their order; none: straight to Production")
    max_error_rate: float = setting("Error rate that must not be significantly exceeded", gt=0, lt=1)
    max_slowdown: float = setting("Largest ratio of the 95th percentiles of latency", gt=1)
    false_stop_rate: float = setting("Chance of stopping a sound challenger", gt=0, lt=0.5)
    pause_after_hours: float = setting("Duration of a step with too few predictions that is reported", unit="h", gt=0)


class WatchConfig(Section):
    """How long a promotion by the loop is watched."""

    days: float = setting("How long the earlier champion remains ready", unit="days", ge=0)
    max_rollbacks: int = setting("Rollbacks without a person", ge=0, le=1)


class RetrainTriggersConfig(Section):
    """What asks for a retrain."""

    degradation: bool = setting("Whether significantly worse performance does")
    drift: bool = setting("Whether drift does")
    new_labels: int | None = setting("Number of labels since the last snapshot that does; null: never", gt=0)
    days: float | None = setting("Days since the last retrain; null: never", unit="days", gt=0)


class RetrainGateConfig(Section):
    """What a retrained candidate must show on fresh labels."""

    fresh_share: float = setting("Newest share of the labeled rows, which no candidate learns from", gt=0, lt=1)
    beat_recalibrated: bool = setting("Whether the recalibrated champion must be beaten too")


class LabelGuardsConfig(Section):
    """Which labels make a retrain wait for a person."""

    max_caller_share: Share = setting("Largest share of the fresh labels from one caller")
    max_contradictions: Share = setting("Rate of labels against confident predictions that counts, by caller")
    max_flips: Share = setting("Largest share of outcomes that were sent twice with different values")
    skip_callers: list[str] = setting("Callers whose labels are left out")


class RetrainConfig(Section):
    """When a model is trained again, on which rows, and what it must show."""

    triggers: RetrainTriggersConfig
    cooldown_hours: float = setting("Shortest pause between retrains; doubles after a refusal", unit="h", ge=0)
    min_labels: Positive = setting("Fewest labels since the last snapshot")
    max_cpu_s: float = setting("Largest processor time of one retrain", unit="s", gt=0)
    half_life_days: float | None = setting("Age at which a row counts half; null: equal weights", unit="days", gt=0)
    include_source: bool = setting("Whether the declared source stays part of the rows")
    gate: RetrainGateConfig
    labels: LabelGuardsConfig
    git: Literal["branch", "none"] = setting("Whether the result becomes a git branch")


class SelectConfig(Section):
    """How a search chooses the settings of a model."""

    when: Literal["never", "retrain"] = setting("Whether each retrain searches; `mlops select` does at any time")
    search: str = setting("File of conf/hparams_search/ with the search space", pattern=r"^[a-z][a-z0-9_]*$")
    rule: Literal["one_standard_error", "best"] = setting(
        "The simplest configuration within one standard error of the best, or the best"
    )
    race: float | None = setting(
        "Standard errors behind the leader at which a configuration is dropped; null: none is", gt=0
    )
    budget_s: float = setting("Longest search; then the complete folds decide", unit="s", gt=0)


class LifecycleConfig(Section):
    """What the loop may do without a person."""

    mode: Literal["off", "advise", "act"] = setting("Nothing, decide and wait for a person, or act")
    interval_minutes: float = setting("Pause between two runs of the loop", unit="min", gt=0)
    max_retrains_per_day: int = setting("Most retrains in 24 hours", ge=0)
    trial: TrialConfig
    canary: CanaryConfig
    watch: WatchConfig
    retrain: RetrainConfig
    select: SelectConfig
