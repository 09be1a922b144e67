"""Compute how much each row moves a metric: its influence function, from which standard errors follow.

Every influence has shape (n_rows, n_classes): of each row, if its true class were that of the column. The column of
the class that was seen gives the empirical variance of the metric. All columns, weighted by predicted probabilities,
give the variance that the model itself expects: it holds the rare mistakes that a small sample did not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.metrics.labeled_predictions import LabeledPredictions, WeightedPredictions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["average_precision_influence", "label_influence", "mean_influence", "roc_auc_influence"]

_CELLS_AT_ONCE = 256
_STEP = 1e-5  # of the numerical derivative with regard to the share of a cell


def mean_influence(values: Floats, scored: LabeledPredictions, weights: Floats) -> Floats:
    """Return the influence of rows on the weighted mean of `values`, shape (n_rows, n_classes)."""
    return np.asarray(values - weights @ scored.of_true_class(values) / weights.sum())


def roc_auc_influence(scored: LabeledPredictions, weights: Floats) -> Floats:
    """Return the influence of rows on the area under the ROC curve: placements (DeLong et al. 1988)."""
    return _mean_of_classes(scored, weights, _binary_roc_auc_influence)


def average_precision_influence(scored: LabeledPredictions, weights: Floats) -> Floats:
    """Return the influence of rows on the average precision."""
    return _mean_of_classes(scored, weights, _binary_average_precision_influence)


def _mean_of_classes(
    scored: LabeledPredictions, weights: Floats, influence: Callable[[_RankedRows], tuple[Floats, Floats]]
) -> Floats:
    total, n_defined = np.zeros((scored.n_rows, scored.n_classes)), 0
    for code, (order, starts, is_class) in scored.rankings.items():
        ranked = _RankedRows(order, starts, is_class, weights[order])
        if ranked.n_inside and ranked.n_outside:
            inside, outside = influence(ranked)
            by_class = np.repeat(outside[:, None], scored.n_classes, axis=1)
            by_class[:, code] = inside
            total[order] += by_class
            n_defined += 1
    return total / max(n_defined, 1)


@dataclass(frozen=True, slots=True)
class _RankedRows:
    """Rows by descending score, in groups of equal scores."""

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    is_class: NDArray[np.bool_]
    weights: Floats

    @property
    def n_inside(self) -> float:
        return float(self.weights[self.is_class].sum())

    @property
    def n_outside(self) -> float:
        return float(self.weights[~self.is_class].sum())

    @property
    def group(self) -> NDArray[np.intp]:
        """The group of each row."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.order)))

    def group_weights(self) -> tuple[Floats, Floats]:
        """Return the weight inside and outside of the class in each group."""
        inside = np.add.reduceat(self.weights * self.is_class, self.starts)
        return inside, np.add.reduceat(self.weights, self.starts) - inside


def _binary_roc_auc_influence(ranked: _RankedRows) -> tuple[Floats, Floats]:
    """Return the influence of each row inside and outside of the class."""
    inside, outside = ranked.group_weights()
    n_inside, n_outside = ranked.n_inside, ranked.n_outside
    n_ranked_below = n_outside - np.cumsum(outside) + outside / 2
    n_ranked_above = np.cumsum(inside) - inside / 2
    area = float(inside @ n_ranked_below) / (n_inside * n_outside)
    total, group = n_inside + n_outside, ranked.group
    of_inside = (n_ranked_below[group] / n_outside - area) * total / n_inside
    of_outside = (n_ranked_above[group] / n_inside - area) * total / n_outside
    return of_inside, of_outside


def _binary_average_precision_influence(ranked: _RankedRows) -> tuple[Floats, Floats]:
    """Return the influence of each row inside and outside of the class."""
    inside, outside = ranked.group_weights()
    hits, n_seen = np.cumsum(inside), np.cumsum(inside + outside)
    n_inside, seen = ranked.n_inside, np.maximum(n_seen, np.finfo(np.float64).tiny)
    precision = hits / seen
    area = float(inside @ precision) / n_inside
    gain = np.cumsum((inside / seen)[::-1])[::-1]
    loss = np.cumsum((inside * hits / seen**2)[::-1])[::-1]
    group, total = ranked.group, n_inside + ranked.n_outside
    of_inside = precision[group] - area + gain[group] - loss[group]
    return of_inside * total / n_inside, -loss[group] * total / n_inside


def label_influence(
    function: Callable[[WeightedPredictions], Floats], confusion: Floats, *, positive: int | None
) -> tuple[float, Floats]:
    """Return a metric of predicted classes, and the influence of a row in each cell of the confusion matrix.

    The derivative is numerical, so it holds for every metric that the confusion matrix determines.

    Parameters
    ----------
    function : callable
        The metric.
    confusion : float, shape (n_classes, n_classes)
        Weight by true and predicted class; above 0 in each cell.
    positive : int or None
        The class that the metric refers to, with two classes.
    """
    n_classes, total = len(confusion), confusion.sum()
    true, predicted = np.divmod(np.arange(n_classes**2), n_classes)
    cells = LabeledPredictions(true, np.eye(n_classes)[predicted], predicted, positive)
    counts = confusion.ravel()
    influence = np.empty(n_classes**2)
    for start in range(0, n_classes**2, _CELLS_AT_ONCE):
        toward = np.eye(n_classes**2)[start : start + _CELLS_AT_ONCE] * total
        above = function(WeightedPredictions(cells, (1.0 - _STEP) * counts + _STEP * toward))
        below = function(WeightedPredictions(cells, (1.0 + _STEP) * counts - _STEP * toward))
        influence[start : start + _CELLS_AT_ONCE] = (above - below) / (2.0 * _STEP)
    value = float(function(WeightedPredictions(cells, counts[None, :]))[0])
    return value, influence.reshape(n_classes, n_classes)
