"""Hold true and predicted classes, plain or weighted, with cached intermediate results of several metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.integer[Any]]

__all__ = ["LabeledPredictions", "WeightedPredictions", "bin_indices"]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class LabeledPredictions:
    """Rows with true class, predicted class and predicted probabilities.

    Parameters
    ----------
    y : int, shape (n_rows,)
        True classes as positions in the columns of `probabilities`.
    probabilities : float, shape (n_rows, n_classes)
    predicted : int, shape (n_rows,)
        Predicted classes.
    positive : int or None
        The class that scores refer to, with two classes; None with more.
    n_bins : int
        Bins of equal width for the calibration error.

    Raises
    ------
    DataError
        When there are no rows, lengths differ, or a probability is missing.
    """

    y: Codes
    probabilities: Floats
    predicted: Codes
    positive: int | None = None
    n_bins: int = 10

    def __post_init__(self) -> None:
        n_rows, n_classes = self.probabilities.shape
        if not n_rows or len(self.y) != n_rows or len(self.predicted) != n_rows:
            raise DataError(
                f"metrics: {len(self.y)} true classes, {n_rows} rows of probabilities and {len(self.predicted)}"
                " predicted classes; expected equally many, at least one"
            )
        if not np.isfinite(self.probabilities).all():
            raise DataError("metrics: a probability is missing or infinite; each row needs one for each class")
        if (self.positive is None) is (n_classes == 2):
            raise DataError(
                f"metrics: {n_classes} classes and positive={self.positive}; expected one for two classes only"
            )

    def take(self, rows: NDArray[Any]) -> LabeledPredictions:
        """Return the rows of a mask or of positions."""
        return replace(self, y=self.y[rows], probabilities=self.probabilities[rows], predicted=self.predicted[rows])

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def n_classes(self) -> int:
        """Number of classes, including those without rows."""
        return int(self.probabilities.shape[1])

    @property
    def ranked_classes(self) -> tuple[int, ...]:
        """Classes whose scores are ranked against the rest: the positive one, or each."""
        return tuple(range(self.n_classes)) if self.positive is None else (self.positive,)

    @cached_property
    def confidence_and_correctness(self) -> tuple[Floats, NDArray[np.bool_]]:
        """A probability of each row and whether its class is true: of the positive class, or of the most probable."""
        code = self.probabilities.argmax(axis=1) if self.positive is None else np.full(self.n_rows, self.positive)
        return np.asarray(self.probabilities[np.arange(self.n_rows), code]), self.y == code

    @cached_property
    def log_losses(self) -> Floats:
        """-ln(probability) of each class, probabilities clipped to [eps, 1 - eps]; shape (n_rows, n_classes)."""
        shares = self.probabilities / self.probabilities.sum(axis=1, keepdims=True)
        return np.asarray(-np.log(np.clip(shares, _EPS, 1.0 - _EPS)))

    @cached_property
    def squared_errors(self) -> Floats:
        """Squared error if each class were true: of the positive probability, or summed; shape (n_rows, n_classes)."""
        if self.positive is not None:
            return np.asarray(np.square(self.probabilities[:, [self.positive]] - np.eye(2)[self.positive]))
        total = np.square(self.probabilities).sum(axis=1, keepdims=True)
        return np.asarray(total - 2.0 * self.probabilities + 1.0)

    def of_true_class(self, values: Floats) -> Floats:
        """Return the value of the true class of each row; `values` has shape (n_rows, n_classes)."""
        return np.asarray(values[np.arange(self.n_rows), self.y])

    @cached_property
    def bin_membership(self) -> Floats:
        """1 in the column of the bin of each row's confidence, 0 elsewhere; shape (n_rows, n_bins)."""
        probability, _ = self.confidence_and_correctness
        return np.asarray(np.eye(self.n_bins)[bin_indices(probability, self.n_bins)])

    @cached_property
    def confusion_indicators(self) -> Floats:
        """One column for each pair of true and predicted class."""
        return np.asarray(np.eye(self.n_classes**2)[self.y * self.n_classes + self.predicted])

    @cached_property
    def rankings(self) -> dict[int, tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]]:
        """By ranked class: rows by descending score, where each distinct score starts, which rows are of the class."""
        return {code: self._rank_by_score(code) for code in self.ranked_classes}

    def _rank_by_score(self, code: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
        """Return rows by descending score, where each distinct score starts, and which of them are of the class."""
        score = self.probabilities[:, code]
        order = np.argsort(-score, kind="stable")
        starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
        return order, starts, self.y[order] == code


def bin_indices(probability: Floats, n_bins: int) -> NDArray[np.intp]:
    """Return the bin of equal width, 0 to bins - 1, that each probability lies in."""
    return np.minimum((probability * n_bins).astype(np.intp), n_bins - 1)


class WeightedPredictions:
    """Rows under one or many weightings, with cached intermediate results of several metrics.

    Parameters
    ----------
    scored : Scored
    weights : float, shape (n_weightings, n_rows), or None
        How often each row counts; None for one weighting with 1 everywhere.
    """

    def __init__(self, scored: LabeledPredictions, weights: Floats | None = None) -> None:
        self.scored = scored
        self.weights = np.ones((1, scored.n_rows)) if weights is None else weights

    @cached_property
    def total_weight(self) -> Floats:
        """Sum of the weights, shape (n_weightings,)."""
        return np.asarray(self.weights.sum(axis=1))

    @cached_property
    def confusion(self) -> Floats:
        """Weight by true and predicted class, shape (n_weightings, n_classes, n_classes)."""
        n_classes = self.scored.n_classes
        return np.asarray(self.weights @ self.scored.confusion_indicators).reshape(-1, n_classes, n_classes)

    @cached_property
    def cumulative_weights(self) -> dict[int, tuple[Floats, Floats]]:
        """By ranked class: cumulated weight inside and outside of it, by descending distinct score."""
        weights = {}
        for code, (order, starts, is_class) in self.scored.rankings.items():
            sorted_weights = self.weights[:, order]
            inside = np.add.reduceat(sorted_weights * is_class, starts, axis=1)
            both = np.add.reduceat(sorted_weights, starts, axis=1)
            hits, both = np.cumsum(inside, axis=1), np.cumsum(both, axis=1)
            weights[code] = (hits, both - hits)
        return weights

    def weighted_mean(self, values: Floats) -> Floats:
        """Return the weighted mean of one value for each row, shape (n_weightings,)."""
        return np.asarray(self.weights @ values / self.total_weight)
