"""A candidate passes when it beats the champion and the recalibrated champion on fresh labels."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.metrics import LabeledPredictions
from pipeline.retraining.fresh_gate import FreshComparison, compare_on_fresh_labels, recalibrate


def labeled(scores: np.ndarray, y: np.ndarray) -> LabeledPredictions:
    return LabeledPredictions(
        y=y, probabilities=np.column_stack([1 - scores, scores]), predicted=(scores >= 0.5).astype(int), positive=1
    )


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logit)))


def compared(truth: np.ndarray, candidate: np.ndarray, champion: np.ndarray, *, seed: int = 3) -> FreshComparison:
    """The gate on one half of rows whose classes are drawn from `truth`; the champion is recalibrated on the other."""
    y = (np.random.default_rng(seed).random(len(truth)) < truth).astype(int)
    fresh, training = slice(0, None, 2), slice(1, None, 2)
    own = labeled(champion[fresh], y[fresh])
    return compare_on_fresh_labels(
        labeled(candidate[fresh], y[fresh]),
        own,
        recalibrated=recalibrate(labeled(champion[training], y[training]), own),
        metric="log_loss",
        confidence_level=0.95,
    )


LOGIT, OTHER = 3 * np.random.default_rng(1).standard_normal((2, 2000))
CHAMPION = sigmoid(LOGIT)


def test_a_change_of_the_classes_passes() -> None:
    now = sigmoid(OTHER)
    assert compared(now, now, CHAMPION).verdict == "pass"


def test_labels_with_noise_alone_wait_for_a_person() -> None:
    noisy = 0.75 * CHAMPION + 0.25 * (1 - CHAMPION)
    comparison = compared(noisy, noisy, CHAMPION)
    assert comparison.champion.is_better
    assert comparison.verdict == "needs_decision"


def test_an_equal_candidate_is_refused_with_the_interval() -> None:
    comparison = compared(CHAMPION, sigmoid(LOGIT + 0.1 * OTHER), CHAMPION)
    assert comparison.verdict == "refused"
    assert "log_loss" in comparison.champion.reason


def test_few_fresh_rows_are_refused_with_their_number() -> None:
    rows = labeled(CHAMPION[:29], np.arange(29) % 2)
    comparison = compare_on_fresh_labels(rows, rows, recalibrated={}, metric="log_loss", confidence_level=0.95)
    assert (comparison.verdict, comparison.champion.reason) == ("refused", "29 fresh labels; expected at least 30")


def test_three_classes_are_recalibrated_one_by_one_into_probabilities() -> None:
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet([1, 1, 1], 600)
    y = np.array([rng.choice(3, p=0.5 * row + 0.5 / 3) for row in probabilities])
    rows = LabeledPredictions(y=y, probabilities=probabilities, predicted=probabilities.argmax(axis=1))
    before = rows.of_true_class(rows.log_losses).mean()
    for calibrated in recalibrate(rows, rows).values():
        assert calibrated.probabilities.sum(axis=1) == pytest.approx(1.0)
        assert calibrated.of_true_class(calibrated.log_losses).mean() < before


def test_training_labels_without_a_class_cannot_recalibrate() -> None:
    rows = labeled(CHAMPION[:50], np.zeros(50, dtype=int))
    with pytest.raises(DataError, match="class number 1 has no rows"):
        recalibrate(rows, rows)
