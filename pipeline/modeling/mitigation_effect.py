"""Train with the declared mitigation, and once more without it, to show what it changes and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.fairness import GroupTallies, assess_fairness
from pipeline.metrics import LabeledPredictions, compute_metrics, round_significant
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.mitigation import Mitigation
from pipeline.modeling.training import train_classifier

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.modeling.training import TrainResult
    from pipeline.schema import Schema

__all__ = ["MitigatedTraining", "train_with_mitigation"]


@dataclass(frozen=True, slots=True)
class MitigatedTraining:
    """A training, and the effect of its mitigation as plain values; None without a mitigation."""

    result: TrainResult
    effect: dict[str, Any] | None


def train_with_mitigation(frame: pd.DataFrame, schema: Schema, config: Config) -> MitigatedTraining:
    """Train as configured; with a mitigation, compare it with a training that differs in nothing else.

    The effect has `kind`, `column`, `metric`, `reason`, `thresholds`, the `metrics` of all out-of-fold rows and the
    `groups`, both `before` and `after`.

    Raises
    ------
    ConfigError
        As `train_classifier` does, or when the mitigation names a column that cannot be used.
    DataError
        As `train_classifier` does.
    """
    options: dict[str, Any] = {"model": config.model, "training": config.training, "seed": config.seed}
    options["engine"] = config.engine
    result = train_classifier(frame, schema, config.features, fairness=config.fairness, **options)
    mitigation = Mitigation.from_config(config.fairness, schema)
    if mitigation is None:
        return MitigatedTraining(result, None)
    plain = train_classifier(frame, schema, config.features, **options)
    return MitigatedTraining(result, _effect(mitigation, frame, before=plain, after=result))


def _effect(mitigation: Mitigation, frame: pd.DataFrame, *, before: TrainResult, after: TrainResult) -> dict[str, Any]:
    target, grouping = mitigation.schema.target, mitigation.grouping(frame)
    codes = encode_target(frame, target)
    positive = None if target.positive is None else target.classes.index(target.positive)
    metrics, groups = {}, {}
    for name, result in (("before", before), ("after", after)):
        scored = LabeledPredictions(codes, result.out_of_fold, result.predicted, positive)
        tallies = [GroupTallies.from_rows(grouping, scored)]
        metrics[name] = {metric: round_significant(value) for metric, value in compute_metrics(scored).items()}
        groups[name] = assess_fairness(tallies, target, mitigation.config).as_dict()["columns"][0]["groups"]
    settings, thresholds = mitigation.config.mitigation, after.classifier.group_thresholds
    return {
        "kind": settings.kind,
        "column": settings.column,
        "metric": settings.metric,
        "reason": settings.reason,
        "thresholds": None if thresholds is None else thresholds.as_dict(),
        "metrics": metrics,
        "groups": groups,
    }
