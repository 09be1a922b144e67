"""Group predictions by what was said of them, so that figures of any number of rows are figures of a few cells."""

from __future__ import annotations

from dataclasses import dataclass
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
    """Predictions grouped by what was said: the same probabilities, within a hair, and the same class.

    `probabilities` has shape (n_cells, n_classes), `predicted` and `counts` have one entry for each cell;
    `outcomes` counts the rows of each true class where outcomes are known, shape (n_cells, n_classes). Counts are
    whole numbers unless rows weigh differently.
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
        """Return the cells of the score's counts in the bins of `bins.finest` (two classes only).

        Raises
        ------
        DataError
            When there are more than two classes: one score does not say how probable the others were.
        """
        _, upper = _score_bin_centers_and_edges(bins)
        # A bin holds its upper edge: one that ends below the threshold is called negative.
        says = upper >= (0.5 if threshold is None else threshold)
        held = np.asarray(counts[: len(upper)], dtype=np.int64)
        table = np.zeros((len(upper), 2), dtype=np.int64)
        positive = _positive_index(target)
        table[np.arange(len(upper)), np.where(says, positive, 1 - positive)] = held
        return cls.from_counts(bins, table, target)

    @classmethod
    def from_counts(cls, bins: Bins, counts: NDArray[Any], target: Target) -> ScoreHistogram:
        """Return the cells of counts by score, said class and, where known, true class (two classes only).

        `counts` has shape (n_bins, 2), or (n_bins, 2, 2) with outcomes, in the bins of `bins.finest`; rows
        without a score are left out. Raises as `from_histogram` does.
        """
        positive = _positive_index(target)
        centres, _ = _score_bin_centers_and_edges(bins)
        held = np.asarray(counts[: len(centres)])
        table = held if held.ndim == 2 else held.sum(axis=2)
        score, said = np.nonzero(table)
        cells = _binary_histogram(centres[score], said == positive, table[score, said], positive)
        if held.ndim == 2:
            return cells
        return cls(cells.probabilities, cells.predicted, cells.counts, positive, held[score, said])

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
        """Return the cells of rows; with two classes at most a few thousand, otherwise one for each row.

        Parameters
        ----------
        probabilities : float, shape (n_rows, n_classes)
        predicted, outcomes : int, shape (n_rows,)
            Positions of classes.
        positive : int or None
            The class that scores speak of, with two classes.
        shares : float, shape (n_rows,), optional
            For how many rows each row counts; one each when None.
        """
        n_classes = probabilities.shape[1]
        said = np.asarray(predicted, dtype=np.int64)
        if positive is None:
            counts = np.ones(len(said), dtype=np.int64) if row_weights is None else row_weights
            true = None if outcomes is None else np.eye(n_classes, dtype=np.int64)[outcomes] * counts[:, None]
            return cls(probabilities, said, counts, None, true)
        score = probabilities[:, positive]
        if len(score) <= _MAX_EXACT_ROWS and outcomes is not None:
            return cls._from_exact_scores(score, said, outcomes, positive, row_weights)
        code = np.minimum((score * _N_BINS).astype(np.int64), _N_BINS - 1) * 2 + (said == positive)
        counts = np.bincount(code, weights=row_weights, minlength=2 * _N_BINS)
        used = np.flatnonzero(counts)
        summed = score if row_weights is None else score * row_weights
        mean = np.bincount(code, weights=summed, minlength=2 * _N_BINS)[used] / counts[used]
        cells = _binary_histogram(mean, used % 2 == 1, counts[used], positive)
        if outcomes is None:
            return cells
        true = np.bincount(code * 2 + outcomes, weights=row_weights, minlength=4 * _N_BINS).reshape(-1, 2)[used]
        return cls(cells.probabilities, cells.predicted, cells.counts, positive, true)

    @classmethod
    def _from_exact_scores(
        cls,
        score: Floats,
        said: NDArray[np.int64],
        outcomes: NDArray[np.integer[Any]],
        positive: int,
        shares: Floats | None,
    ) -> ScoreHistogram:
        """Return one cell for each score and class that occur, whatever lies close to it."""
        values, at = np.unique(score, return_inverse=True)
        code = at * 2 + (said == positive)
        true = np.bincount(code * 2 + outcomes, weights=shares, minlength=4 * len(values)).reshape(-1, 2)
        used = np.flatnonzero(true.sum(axis=1))
        cells = _binary_histogram(values[used // 2], used % 2 == 1, true.sum(axis=1)[used], positive)
        return cls(cells.probabilities, cells.predicted, cells.counts, positive, true[used])

    def to_labeled_predictions(self) -> LabeledPredictions:
        """Return one row for each cell and class: as many weights make it any set of outcomes."""
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
        raise DataError(f"{target.column}: performance from a histogram of scores needs two classes; pass rows")
    return target.classes.index(target.positive)


def _score_bin_centers_and_edges(bins: Bins) -> tuple[Floats, Floats]:
    """Return the middle and the upper end of each bin of the score: those between the edges, then below and above."""
    points = np.array(bins.finest.points, dtype=np.float64)
    if len(points) == 0:
        points = np.array([0.0, 1.0])
    centres = np.concatenate([(points[:-1] + points[1:]) / 2, [points[0] / 2, (points[-1] + 1) / 2]])
    return centres, np.concatenate([points[1:], [points[0], 1.0]])


def _binary_histogram(score: Floats, says: NDArray[np.bool_], counts: NDArray[Any], positive: int) -> ScoreHistogram:
    probabilities = np.empty((len(score), 2))
    probabilities[:, positive], probabilities[:, 1 - positive] = score, 1.0 - score
    return ScoreHistogram(probabilities, np.where(says, positive, 1 - positive), counts, positive)


def coarsen(histogram: ScoreHistogram) -> ScoreHistogram:
    """Return the same predictions in at most a hundred or so cells, where one score tells all."""
    if histogram.positive is None or len(histogram.counts) <= _N_COARSE_BINS:
        return histogram
    score, said = histogram.probabilities[:, histogram.positive], histogram.predicted == histogram.positive
    code = np.minimum((score * _N_COARSE_BINS).astype(np.int64), _N_COARSE_BINS - 1) * 2 + said
    counts = np.bincount(code, weights=histogram.counts)
    used = np.flatnonzero(counts)
    mean = np.bincount(code, weights=score * histogram.counts)[used] / counts[used]
    kind = histogram.counts.dtype
    few = _binary_histogram(mean, used % 2 == 1, counts[used].astype(kind), histogram.positive)
    if histogram.outcome_counts is None:
        return few
    true = np.column_stack([np.bincount(code, weights=one)[used] for one in histogram.outcome_counts.T]).astype(kind)
    return ScoreHistogram(few.probabilities, few.predicted, few.counts, few.positive, true)
