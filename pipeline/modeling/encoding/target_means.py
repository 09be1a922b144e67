"""Shares of the classes by word: target encoding, smoothed and out of fold (Micci-Barreca 2001)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["TrainTarget", "fit_target_means", "out_of_fold_means"]

_MAX_CLASSES = 10
_N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class TrainTarget:
    """The classes of the train rows as codes, and the seed of the folds."""

    codes: NDArray[np.int64]
    seed: int = 0

    @property
    def encoded_classes(self) -> tuple[int, ...]:
        """Classes that get a matrix column: the last of two, else the ten most frequent ones."""
        classes, counts = np.unique(self.codes, return_counts=True)
        if len(classes) <= 2:
            return (int(classes[-1]),)
        most_frequent = np.argsort(-counts, kind="stable")[:_MAX_CLASSES]
        return tuple(sorted(int(classes[at]) for at in most_frequent))

    @property
    def indicators(self) -> Floats:
        """Whether each row has each encoded class, shape (n_rows, n_encoded_classes)."""
        return np.asarray(self.codes[:, None] == np.array(self.encoded_classes), dtype=np.float64)

    def folds(self) -> Iterator[NDArray[np.intp]]:
        """Yield the rows of each fold; folds are stratified where each class has a row for each of them."""
        from sklearn.model_selection import KFold, StratifiedKFold

        n_folds = min(_N_FOLDS, len(self.codes))
        is_divisible = np.unique_counts(self.codes).counts.min() >= n_folds
        splitter = (StratifiedKFold if is_divisible else KFold)(n_folds, shuffle=True, random_state=self.seed)
        for _, inside in splitter.split(self.codes, self.codes):
            yield inside


def fit_target_means(words: NDArray[np.intp], indicators: Floats, *, n_words: int) -> Floats:
    """Return the smoothed mean of `indicators` by word, shape (n_words, n_classes).

    The mean of a word shrinks towards the mean of all rows, the more the fewer rows it has and the more they
    differ: empirical Bayes, as scikit-learn's `TargetEncoder(smooth="auto")`. A word without rows gets the mean of
    all rows.

    Parameters
    ----------
    words : int, shape (n_rows,)
        Position of the word of each row, from 0 to n_words - 1.
    indicators : float, shape (n_rows, n_classes)
    n_words : int
    """
    counts = np.bincount(words, minlength=n_words).astype(np.float64)
    means = np.empty((n_words, indicators.shape[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        for at, column in enumerate(indicators.T):
            overall, variance = column.mean(), column.var()
            mean = np.bincount(words, weights=column, minlength=n_words) / counts
            within = mean * (1.0 - mean)
            weight = variance * counts / (variance * counts + within)
            means[:, at] = np.where(np.isfinite(weight), weight * mean + (1.0 - weight) * overall, overall)
    return means


def out_of_fold_means(words: NDArray[np.intp], target: TrainTarget, *, n_words: int) -> Floats:
    """Return the means of each row's word in the rows of the other folds, shape (n_rows, n_classes)."""
    indicators = target.indicators
    means = np.empty_like(indicators)
    for inside in target.folds():
        others = np.ones(len(words), dtype=bool)
        others[inside] = False
        means[inside] = fit_target_means(words[others], indicators[others], n_words=n_words)[words[inside]]
    return means
