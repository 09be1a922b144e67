"""The table of metrics: function, unit, and direction of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.errors import UnknownOption
from pipeline.lookup import LookupTable
from pipeline.metrics.influence import average_precision_influence, mean_influence, roc_auc_influence
from pipeline.metrics.labeled_predictions import LabeledPredictions, WeightedPredictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.integer[Any]]

__all__ = ["METRICS", "Metric", "ScoreSpread", "compute_metrics", "get_metric"]

MetricFunction = Callable[[WeightedPredictions], "Floats"]


@dataclass(frozen=True, slots=True)
class ScoreSpread:
    """How the variance of a metric of probabilities is found; the numbers were chosen by `benchmarks/coverage.py`.

    `influence` returns the influence of rows, shape (n_rows, n_classes), from rows and weights. The variance of few
    unequal rows is itself uncertain: the interval takes a quantile of Student's t with `freedom` times the degrees of
    freedom of the variance (Satterthwaite 1946), and the normal quantile when None. `n_unseen` adds the variance of so
    many rows of each class that are ranked worst, since few rows seldom hold one. The interval of a difference of two
    models needs `min_paired_rows`.
    """

    influence: Callable[[LabeledPredictions, Floats], Floats]
    freedom: float | None = None
    n_unseen: float = 0.0
    min_paired_rows: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: function, unit and direction.

    `needs` is the required input: predicted classes or probabilities. `bounds` are the least and greatest possible
    value. `spread` gives the variance of a metric of probabilities; that of a metric of labels follows from the
    confusion matrix. `needs_each_class` means that an interval needs enough rows of each class.
    """

    name: str
    unit: str
    higher_is_better: bool
    needs: Literal["labels", "scores"]
    function: MetricFunction
    bounds: tuple[float, float] = (0.0, 1.0)
    spread: ScoreSpread | None = None
    needs_each_class: bool = True

    def __call__(self, y: Codes, probabilities: Floats, predicted: Codes, *, positive: int | None = None) -> float:
        """Return the metric for rows of weight 1; NaN where it is not defined, as an AUC of one class.

        Examples
        --------
        >>> METRICS["accuracy"](np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 0]), positive=1)
        0.5
        """
        return float(
            self.function(
                WeightedPredictions(
                    LabeledPredictions(y=y, probabilities=probabilities, predicted=predicted, positive=positive)
                )
            )[0]
        )

    @property
    def has_paired_interval(self) -> bool:
        """Whether the difference of two models on the same rows has a known distribution."""
        return self.needs == "labels" or self.spread is not None

    def is_better(self, value: float, other: float) -> bool:
        """Return whether `value` is better than `other`."""
        return value > other if self.higher_is_better else value < other


METRICS: LookupTable[Metric] = LookupTable("evaluation.metrics")


def _metric(
    name: str, unit: str, needs: Literal["labels", "scores"], *, lower: bool = False, **options: Any
) -> Callable[[MetricFunction], MetricFunction]:
    def join(function: MetricFunction) -> MetricFunction:
        METRICS.add(name)(
            Metric(name=name, unit=unit, higher_is_better=not lower, needs=needs, function=function, **options)
        )
        return function

    return join


def _log_loss_influence(scored: LabeledPredictions, weights: Floats) -> Floats:
    return mean_influence(scored.log_losses, scored, weights)


def _brier_influence(scored: LabeledPredictions, weights: Floats) -> Floats:
    return mean_influence(scored.squared_errors, scored, weights)


@_metric(
    "log_loss",
    "nats",
    "scores",
    lower=True,
    bounds=(0.0, np.inf),
    spread=ScoreSpread(_log_loss_influence, freedom=1.5),
)
def _log_loss(rows: WeightedPredictions) -> Floats:
    """Mean of -ln(probability of the true class), probabilities clipped to [eps, 1 - eps]."""
    return rows.weighted_mean(rows.scored.of_true_class(rows.scored.log_losses))


@_metric(
    "brier",
    "squared probability",
    "scores",
    lower=True,
    bounds=(0.0, np.inf),
    spread=ScoreSpread(_brier_influence, freedom=3.0),
)
def _brier(rows: WeightedPredictions) -> Floats:
    """Mean squared error of the positive probability; summed over all classes with more than two (Brier 1950)."""
    return rows.weighted_mean(rows.scored.of_true_class(rows.scored.squared_errors))


@_metric("roc_auc", "probability", "scores", spread=ScoreSpread(roc_auc_influence, n_unseen=0.1, min_paired_rows=1_000))
def _roc_auc(rows: WeightedPredictions) -> Floats:
    """Probability that a row of the class is ranked before another (Mann-Whitney); mean over one-against-rest."""
    return _mean_of_defined([_binary_roc_auc(*rows.cumulative_weights[code]) for code in rows.scored.ranked_classes])


def _binary_roc_auc(hits: Floats, misses: Floats) -> Floats:
    step = np.diff(misses, axis=1, prepend=0.0)
    before = np.concatenate([np.zeros((len(hits), 1)), hits[:, :-1]], axis=1)
    pairs = (step * (before + hits)).sum(axis=1) / 2.0
    return _ratio_or_nan(pairs, hits[:, -1] * misses[:, -1])


@_metric("pr_auc", "share", "scores", spread=ScoreSpread(average_precision_influence, freedom=1.0))
def _pr_auc(rows: WeightedPredictions) -> Floats:
    """Average precision: precision at each distinct score, weighted by its rise of recall; mean over classes."""
    return _mean_of_defined(
        [_binary_average_precision(*rows.cumulative_weights[code]) for code in rows.scored.ranked_classes]
    )


def _binary_average_precision(hits: Floats, misses: Floats) -> Floats:
    precision = _ratio_or_zero(hits, hits + misses)
    rise = np.diff(hits, axis=1, prepend=0.0)
    return _ratio_or_nan((precision * rise).sum(axis=1), hits[:, -1])


@_metric("ece", "probability", "scores", lower=True)
def _ece(rows: WeightedPredictions) -> Floats:
    """Mean distance (expected calibration error) of probability and share in bins of equal width (Naeini 2015).

    It is above 0 by chance alone; `estimate_metrics` removes that part.
    """
    probability, is_true = rows.scored.confidence_and_correctness
    residuals = rows.weights @ (rows.scored.bin_membership * (probability - is_true)[:, None])
    return np.asarray(np.abs(residuals).sum(axis=1) / rows.total_weight)


@_metric("accuracy", "share", "labels", needs_each_class=False)
def _accuracy(rows: WeightedPredictions) -> Floats:
    """Share of rows whose predicted class is the true one."""
    return np.asarray(np.trace(rows.confusion, axis1=1, axis2=2) / rows.total_weight)


@_metric("balanced_accuracy", "share", "labels")
def _balanced_accuracy(rows: WeightedPredictions) -> Floats:
    """Mean recall of the classes that occur."""
    correct, predicted, true = _weights_by_class(rows)
    del predicted
    return _mean_where(_ratio_or_zero(correct, true), true > 0)


@_metric("f1_macro", "share", "labels")
def _f1_macro(rows: WeightedPredictions) -> Floats:
    """Mean F1 of the classes that occur or are predicted."""
    correct, predicted, true = _weights_by_class(rows)
    return _mean_where(_ratio_or_zero(2.0 * correct, predicted + true), predicted + true > 0)


@_metric("f1_weighted", "share", "labels", needs_each_class=False)
def _f1_weighted(rows: WeightedPredictions) -> Floats:
    """Mean F1 of the classes, each weighted by its rows."""
    correct, predicted, true = _weights_by_class(rows)
    return np.asarray((_ratio_or_zero(2.0 * correct, predicted + true) * true).sum(axis=1) / rows.total_weight)


@_metric("precision", "share", "labels")
def _precision(rows: WeightedPredictions) -> Floats:
    """Share of the predicted rows that are of the class: the positive one, or the mean; 0 where none is predicted."""
    correct, predicted, true = _weights_by_class(rows)
    return _positive_or_mean(rows, _ratio_or_zero(correct, predicted), predicted + true > 0)


@_metric("recall", "share", "labels")
def _recall(rows: WeightedPredictions) -> Floats:
    """Share of the rows of the class that are predicted: the positive one, or the mean; 0 where none occurs."""
    correct, predicted, true = _weights_by_class(rows)
    return _positive_or_mean(rows, _ratio_or_zero(correct, true), predicted + true > 0)


@_metric("mcc", "correlation", "labels", bounds=(-1.0, 1.0))
def _mcc(rows: WeightedPredictions) -> Floats:
    """Matthews' correlation of true and predicted class, for any number of classes (Gorodkin 2004)."""
    correct, predicted, true = _weights_by_class(rows)
    together = correct.sum(axis=1) * rows.total_weight - (predicted * true).sum(axis=1)
    alone = np.sqrt(_weight_of_differing_pairs(predicted) * _weight_of_differing_pairs(true))
    return _ratio_or_zero(np.where(alone > 0.0, together, 0.0), alone)


def _weight_of_differing_pairs(by_class: Floats) -> Floats:
    """Return the weight of the pairs of rows with different classes; exactly 0 where all rows have one class."""
    # Rounding would leave a remainder of one class, also below 0, when rows have unequal weights.
    has_several = (by_class > 0).sum(axis=1) > 1
    others = by_class.sum(axis=1, keepdims=True) - by_class
    return np.where(has_several, (by_class * others).sum(axis=1), 0.0)


def _weights_by_class(rows: WeightedPredictions) -> tuple[Floats, Floats, Floats]:
    """Return correctly predicted, predicted and true weight, each of shape (n_weightings, n_classes)."""
    table = rows.confusion
    return np.diagonal(table, axis1=1, axis2=2), table.sum(axis=1), table.sum(axis=2)


def _ratio_or_zero(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def _ratio_or_nan(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, and NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole != 0)


def _positive_or_mean(rows: WeightedPredictions, by_class: Floats, is_there: NDArray[np.bool_]) -> Floats:
    positive = rows.scored.positive
    return _mean_where(by_class, is_there) if positive is None else np.asarray(by_class[:, positive])


def _mean_where(values: Floats, counts: NDArray[np.bool_]) -> Floats:
    return np.asarray((values * counts).sum(axis=1) / counts.sum(axis=1))


def _mean_of_defined(parts: Sequence[Floats]) -> Floats:
    values = np.column_stack(parts)
    is_defined = ~np.isnan(values)
    return _ratio_or_nan(np.where(is_defined, values, 0.0).sum(axis=1), is_defined.sum(axis=1).astype(np.float64))


def get_metric(name: str, *, setting: str) -> Metric:
    """Return the metric `name`, which `setting` configures.

    Raises
    ------
    UnknownOption
        When there is no metric of this name; the message starts with `setting`.
    """
    try:
        return METRICS[name]
    except UnknownOption as error:
        raise UnknownOption(f"{setting}: {str(error).partition(': ')[2]}") from None


def compute_metrics(scored: LabeledPredictions, names: Sequence[str] | None = None) -> dict[str, float]:
    """Return the metrics `names` (None: all); NaN where one is not defined for these rows.

    Raises
    ------
    UnknownOption
        When a name is not in `METRICS`.
    """
    rows = WeightedPredictions(scored)
    return {name: float(METRICS[name].function(rows)[0]) for name in (METRICS if names is None else names)}
