"""Group predictions by probabilities and predicted class, so that metrics of many rows come from few cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError
from pipeline.metrics.labeled_predictions import LabeledPredictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.package import Bins
    from pipeline.schema import Target

    Floats = NDArray[np.float64]

__all__ = ["ScoreHistogram", "coarsen"]

_N_BINS = 4000
_N_COARSE_BINS = 64
_MAX_EXACT_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class ScoreHistogram:
    """Predictions in cells of nearly equal probabilities and the same predicted class.

    `probabilities` has shape (n_cells, n_classes), `predicted` and `counts` have one entry for each cell.
    `outcome_counts` has the rows of each true class where outcomes are known, shape (n_cells, n_classes). Counts
    are whole numbers unless rows have unequal sampling weights.
    """

    probabilities: Floats
    predicted: NDArray[np.int64]
    counts: NDArray[Any]
    positive: int | None
    outcome_counts: NDArray[Any] | None = None

    @property
    def n_rows(self) -> int:
        """Predictions in all cells."""
        return round(float(self.counts.sum()))

    @classmethod
    def from_histogram(
        cls, bins: Bins, counts: NDArray[np.int64], target: Target, *, threshold: float | None
    ) -> ScoreHistogram:
        """Return the histogram of score counts in the bins of `bins.finest` (two classes only).

        Raises
        ------
        DataError
            When there are more than two classes, because one score does not determine the other probabilities.
        """
        _, upper = _score_bin_centers_and_edges(bins)
        # A bin includes its upper edge: a bin that ends below the threshold is predicted negative.
        is_positive = upper >= (0.5 if threshold is None else threshold)
        table = np.zeros((len(upper), 2), dtype=np.int64)
        positive = _positive_index(target)
        columns = np.where(is_positive, positive, 1 - positive)
        table[np.arange(len(upper)), columns] = np.asarray(counts[: len(upper)], dtype=np.int64)
        return cls.from_counts(bins, table, target)

    @classmethod
    def from_counts(cls, bins: Bins, counts: NDArray[Any], target: Target) -> ScoreHistogram:
        """Return the histogram of counts by score, predicted class and, where known, outcome (two classes only).

        `counts` has shape (n_bins, 2), or (n_bins, 2, 2) with outcomes, in the bins of `bins.finest`; rows
        without a score are left out. Raises as `from_histogram` does.
        """
        positive = _positive_index(target)
        centers, _ = _score_bin_centers_and_edges(bins)
        scored = np.asarray(counts[: len(centers)])
        table = scored if scored.ndim == 2 else scored.sum(axis=2)
        score, predicted = np.nonzero(table)
        histogram = _binary_histogram(centers[score], predicted == positive, table[score, predicted], positive)
        return histogram if scored.ndim == 2 else replace(histogram, outcome_counts=scored[score, predicted])

    @classmethod
    def from_rows(
        cls,
        probabilities: Floats,
        predicted: NDArray[np.integer[Any]],
        *,
        positive: int | None,
        outcomes: NDArray[np.integer[Any]] | None = None,
        row_weights: Floats | None = None,
    ) -> ScoreHistogram:
        """Return the histogram of rows; with two classes at most a few thousand cells, otherwise one for each row.

        Parameters
        ----------
        probabilities : float, shape (n_rows, n_classes)
        predicted, outcomes : int, shape (n_rows,)
            Positions of classes.
        positive : int or None
            The class of the scores, with two classes.
        row_weights : float, shape (n_rows,), optional
            For how many rows each row counts; one each when None.
        """
        n_classes = probabilities.shape[1]
        codes = np.asarray(predicted, dtype=np.int64)
        if positive is None:
            counts = np.ones(len(codes), dtype=np.int64) if row_weights is None else row_weights
            table = None if outcomes is None else np.eye(n_classes, dtype=np.int64)[outcomes] * counts[:, None]
            return cls(probabilities, codes, counts, None, table)
        score = probabilities[:, positive]
        if len(score) <= _MAX_EXACT_ROWS and outcomes is not None:
            return cls._from_exact_scores(
                score, codes == positive, outcomes, positive=positive, row_weights=row_weights
            )
        cell = np.minimum((score * _N_BINS).astype(np.int64), _N_BINS - 1) * 2 + (codes == positive)
        counts = np.bincount(cell, weights=row_weights, minlength=2 * _N_BINS)
        used = np.flatnonzero(counts)
        weighted = score if row_weights is None else score * row_weights
        mean = np.bincount(cell, weights=weighted, minlength=2 * _N_BINS)[used] / counts[used]
        histogram = _binary_histogram(mean, used % 2 == 1, counts[used], positive)
        if outcomes is None:
            return histogram
        table = np.bincount(cell * 2 + outcomes, weights=row_weights, minlength=4 * _N_BINS).reshape(-1, 2)[used]
        return replace(histogram, outcome_counts=table)

    @classmethod
    def _from_exact_scores(
        cls,
        score: Floats,
        is_positive: NDArray[np.bool_],
        outcomes: NDArray[np.integer[Any]],
        *,
        positive: int,
        row_weights: Floats | None,
    ) -> ScoreHistogram:
        """Return one cell for each distinct score and predicted class."""
        values, indices = np.unique(score, return_inverse=True)
        cell = indices * 2 + is_positive
        table = np.bincount(cell * 2 + outcomes, weights=row_weights, minlength=4 * len(values)).reshape(-1, 2)
        counts = table.sum(axis=1)
        used = np.flatnonzero(counts)
        histogram = _binary_histogram(values[used // 2], used % 2 == 1, counts[used], positive)
        return replace(histogram, outcome_counts=table[used])

    def to_labeled_predictions(self) -> LabeledPredictions:
        """Return one row for each cell and class, to be weighted by outcomes."""
        n_cells, n_classes = self.probabilities.shape
        y = np.tile(np.arange(n_classes), n_cells)
        return LabeledPredictions(
            y,
            np.repeat(self.probabilities, n_classes, axis=0),
            np.repeat(self.predicted, n_classes),
            self.positive,
        )


def _positive_index(target: Target) -> int:
    if not target.is_binary or target.positive is None:
        raise DataError(
            f"{target.column}: has {len(target.classes)} classes; a histogram of scores needs two classes; pass rows"
        )
    return target.classes.index(target.positive)


def _score_bin_centers_and_edges(bins: Bins) -> tuple[Floats, Floats]:
    """Return center and upper edge of each bin of the score: bins between the edges, then below and above them."""
    points = np.array(bins.finest.points, dtype=np.float64)
    if len(points) == 0:
        points = np.array([0.0, 1.0])
    centers = np.concatenate([(points[:-1] + points[1:]) / 2, [points[0] / 2, (points[-1] + 1) / 2]])
    return centers, np.concatenate([points[1:], [points[0], 1.0]])


def _binary_histogram(
    score: Floats, is_positive: NDArray[np.bool_], counts: NDArray[Any], positive: int
) -> ScoreHistogram:
    probabilities = np.empty((len(score), 2))
    probabilities[:, positive], probabilities[:, 1 - positive] = score, 1.0 - score
    return ScoreHistogram(probabilities, np.where(is_positive, positive, 1 - positive), counts, positive)


def coarsen(histogram: ScoreHistogram) -> ScoreHistogram:
    """Return the same predictions in at most 128 cells; unchanged when there is no single score."""
    if histogram.positive is None or len(histogram.counts) <= _N_COARSE_BINS:
        return histogram
    score, is_positive = histogram.probabilities[:, histogram.positive], histogram.predicted == histogram.positive
    cell = np.minimum((score * _N_COARSE_BINS).astype(np.int64), _N_COARSE_BINS - 1) * 2 + is_positive
    counts = np.bincount(cell, weights=histogram.counts)
    used = np.flatnonzero(counts)
    mean = np.bincount(cell, weights=score * histogram.counts)[used] / counts[used]
    dtype = histogram.counts.dtype
    coarse = _binary_histogram(mean, used % 2 == 1, counts[used].astype(dtype), histogram.positive)
    if histogram.outcome_counts is None:
        return coarse
    table = np.column_stack([np.bincount(cell, weights=column)[used] for column in histogram.outcome_counts.T])
    return replace(coarse, outcome_counts=table.astype(dtype))
