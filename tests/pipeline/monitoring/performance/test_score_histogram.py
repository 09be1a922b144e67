"""A histogram of scores gives the metrics of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.monitoring import (
    IntervalOptions,
    ScoreHistogram,
    estimate_performance,
)
from pipeline.monitoring.performance.score_histogram import coarsen
from pipeline.schema import Target
from tests.pipeline.monitoring.drift_fixtures import make_reference

if TYPE_CHECKING:
    from numpy.typing import NDArray


TARGET = Target("y", ("no", "yes"), "yes")


INTERVALS = IntervalOptions(confidence_level=0.95, bootstrap_samples=200, seed=0)


NAMES = ("accuracy", "f1_weighted", "roc_auc", "log_loss", "brier")


def sample_scores(
    n: int, seed: int, *, a: float = 1.0, b: float = 2.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return calibrated probabilities of "yes", and outcomes drawn from them."""
    rng = np.random.default_rng(seed)
    score = rng.beta(a, b, n)
    return score, (rng.random(n) < score).astype(np.int64)


def make_histogram(score: NDArray[np.float64], y: NDArray[np.int64] | None = None) -> ScoreHistogram:
    both = np.column_stack([1 - score, score])
    return ScoreHistogram.from_rows(both, (score >= 0.5).astype(np.int64), positive=1, outcomes=y)


def test_the_histogram_of_scores_gives_what_the_rows_give() -> None:
    reference = make_reference()
    score, _ = sample_scores(100_000, 3)
    counts = reference.score.finest.count(score)
    from_counts = estimate_performance(
        ScoreHistogram.from_histogram(reference.score, counts, TARGET, threshold=0.5), NAMES, intervals=INTERVALS
    )
    from_rows = estimate_performance(make_histogram(score), NAMES, intervals=INTERVALS)
    assert from_counts.n_rows == 100_000
    for name in NAMES:
        assert from_counts.metrics[name].value == pytest.approx(from_rows.metrics[name].value, abs=0.001)


def test_a_histogram_of_three_classes_is_refused() -> None:
    reference = make_reference()
    with pytest.raises(DataError, match="has 3 classes; a histogram of scores needs two classes; pass rows"):
        ScoreHistogram.from_histogram(
            reference.score, reference.score.finest.count([0.5]), Target("y", ("a", "b", "c")), threshold=None
        )


def test_counts_by_score_and_class_keep_rows_and_outcomes() -> None:
    bins = make_reference().score
    rng = np.random.default_rng(6)
    score, predicted, outcomes = rng.random(5_000), rng.integers(0, 2, 5_000), rng.integers(0, 2, 5_000)
    counts = np.zeros((bins.finest.n_bins, 2, 2), dtype=np.int64)
    np.add.at(counts, (bins.finest.codes(score), predicted, outcomes), 1)
    histogram = ScoreHistogram.from_counts(bins, counts, TARGET)
    assert histogram.n_rows == 5_000
    assert histogram.outcome_counts is not None
    assert histogram.outcome_counts.sum(axis=1).tolist() == histogram.counts.tolist()
    assert histogram.counts[histogram.predicted == 1].sum() == predicted.sum()
    assert histogram.outcome_counts.sum(axis=0).tolist() == [5_000 - outcomes.sum(), outcomes.sum()]
    assert float(histogram.probabilities[:, 1] @ histogram.counts) == pytest.approx(score.sum(), rel=0.001)


@pytest.mark.parametrize("n_rows", [500, 30_000])
def test_row_weights_scale_the_counts(n_rows: int) -> None:
    score, y = sample_scores(n_rows, 7)
    both = np.column_stack([1 - score, score])
    options = {"positive": 1, "outcomes": y}
    single = ScoreHistogram.from_rows(both, (score >= 0.5).astype(np.int64), **options)
    double = ScoreHistogram.from_rows(
        both, (score >= 0.5).astype(np.int64), row_weights=np.full(n_rows, 2.0), **options
    )
    assert double.counts == pytest.approx(2 * single.counts)
    assert double.probabilities == pytest.approx(single.probabilities)


def test_a_coarse_histogram_keeps_rows_outcomes_and_expected_score() -> None:
    score, y = sample_scores(50_000, 8)
    fine = make_histogram(score, y)
    coarse = coarsen(fine)
    assert len(coarse.counts) <= 128 < len(fine.counts)
    assert coarse.outcome_counts is not None
    assert fine.outcome_counts is not None
    assert coarse.outcome_counts.sum(axis=0).tolist() == fine.outcome_counts.sum(axis=0).tolist()
    assert float(coarse.probabilities[:, 1] @ coarse.counts) == pytest.approx(
        float(fine.probabilities[:, 1] @ fine.counts)
    )


def test_labeled_predictions_have_a_row_for_each_cell_and_class() -> None:
    histogram = make_histogram(np.array([0.2, 0.2, 0.9]))
    predictions = histogram.to_labeled_predictions()
    assert predictions.y.tolist() == [0, 1] * len(histogram.counts)
    assert predictions.probabilities[:, 1].tolist() == pytest.approx([0.2, 0.2, 0.9, 0.9])
