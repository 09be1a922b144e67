"""Choose the lowest probability that is predicted as the positive class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ConfigError
from pipeline.lookup import LookupTable
from pipeline.metrics import round_significant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.training_config import ThresholdConfig
    from pipeline.schema import Target

    Floats = NDArray[np.float64]

__all__ = ["THRESHOLD_RULES", "check_threshold_rule", "choose_threshold"]

ThresholdRule = Callable[["Floats", "NDArray[np.bool_]", float], float]
THRESHOLD_RULES: LookupTable[ThresholdRule] = LookupTable("training.threshold.rule")


def check_threshold_rule(config: ThresholdConfig, target: Target) -> None:
    """Refuse a rule that needs two classes where the target has more.

    Raises
    ------
    ConfigError
        When the rule is not `fixed` and the target has more than two classes.
    UnknownOption
        When the rule is unknown.
    """
    if THRESHOLD_RULES[config.rule] is not _fixed_threshold and not target.is_binary:
        raise ConfigError(
            f"training.threshold.rule: {config.rule} needs two classes and {target.column} has"
            f" {len(target.classes)}; the most probable one is predicted: set the rule to fixed"
        )


def choose_threshold(
    scores: Floats, codes: NDArray[np.int64], target: Target, *, config: ThresholdConfig
) -> float | None:
    """Return the threshold that the configured rule chooses; None where there are more than two classes.

    Parameters
    ----------
    scores : float, shape (n_rows, n_classes)
        Calibrated out-of-fold probabilities.
    codes : int, shape (n_rows,)
        True classes as positions in `target.classes`.
    target : Target
    config : ThresholdConfig
    """
    if target.positive is None or not target.is_binary:
        return None
    positive = target.classes.index(target.positive)
    return THRESHOLD_RULES[config.rule](scores[:, positive], codes == positive, config.value)


@THRESHOLD_RULES.add("fixed")
def _fixed_threshold(
    scores: Floats,  # noqa: ARG001 - shared signature
    is_positive: NDArray[np.bool_],  # noqa: ARG001 - shared signature
    value: float,
) -> float:
    return value


@THRESHOLD_RULES.add("max_f1")
def _max_f1(scores: Floats, is_positive: NDArray[np.bool_], value: float) -> float:
    return _best_threshold(
        scores, is_positive, value, statistic=lambda hits, predicted, true, _total: 2.0 * hits / (predicted + true)
    )


@THRESHOLD_RULES.add("max_balanced_accuracy")
def _max_balanced_accuracy(scores: Floats, is_positive: NDArray[np.bool_], value: float) -> float:
    def balanced(hits: Floats, predicted: Floats, true: float, total: float) -> Floats:
        return (hits / true + 1.0 - (predicted - hits) / (total - true)) / 2.0

    return _best_threshold(scores, is_positive, value, statistic=balanced)


@THRESHOLD_RULES.add("max_mcc")
def _max_mcc(scores: Floats, is_positive: NDArray[np.bool_], value: float) -> float:
    def correlation(hits: Floats, predicted: Floats, true: float, total: float) -> Floats:
        return (hits * total - predicted * true) / np.sqrt(predicted * (total - predicted) * true * (total - true))

    return _best_threshold(scores, is_positive, value, statistic=correlation)


def _best_threshold(
    scores: Floats,
    is_positive: NDArray[np.bool_],
    value: float,
    *,
    statistic: Callable[[Floats, Floats, float, float], Floats],
) -> float:
    """Return the threshold with the best statistic, midway between two scores; of equals the one nearest to `value`.

    A threshold that equals a score would split rows by their last bit, hence midway.
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.diff(falling) < 0)
    if not len(last):
        return value
    hits = np.cumsum(is_positive[order])[last].astype(np.float64)
    predicted = (last + 1).astype(np.float64)
    values = statistic(hits, predicted, float(is_positive.sum()), float(len(scores))).round(12)
    middle = (falling[last] + falling[last + 1]) / 2.0
    best = middle[values == values.max()]
    chosen = round_significant(best[np.abs(best - value).argmin()])
    return value if chosen is None else chosen
