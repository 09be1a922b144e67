"""Scored rows have the classes that a classifier predicts."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.modeling.classifier import predicted_classes
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.schema import Target

BINARY = Target("answer", ("no", "yes"), "yes")
REVERSED = Target("answer", ("no", "yes"), "no")
THREE = Target("answer", ("a", "b", "c"), None)


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, [0, 1, 1]), (0.8, [0, 0, 1]), (0.05, [1, 1, 1])])
def test_the_threshold_belongs_to_the_positive_class(threshold: float, expected: list[int]) -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.1, 0.9]])
    scored = make_scored_rows(BINARY, np.zeros(3, dtype=int), probabilities, threshold=threshold)
    assert (scored.predicted.tolist(), scored.positive) == (expected, 1)


def test_the_first_class_may_be_the_positive_one() -> None:
    scored = make_scored_rows(REVERSED, np.zeros(2, dtype=int), np.array([[0.7, 0.3], [0.2, 0.8]]), threshold=0.6)
    assert (scored.predicted.tolist(), scored.positive) == ([0, 1], 0)


def test_more_classes_take_the_most_probable_one() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]])
    scored = make_scored_rows(THREE, np.array([1, 0]), probabilities, threshold=None, n_bins=5)
    assert (scored.predicted.tolist(), scored.positive, scored.n_bins) == ([1, 0], None, 5)


def test_the_predictions_are_those_of_a_classifier() -> None:
    p = np.random.default_rng(0).random(50)
    probabilities = np.column_stack([1 - p, p])
    scored = make_scored_rows(BINARY, np.zeros(50, dtype=int), probabilities, threshold=0.3)
    names = np.array(BINARY.classes)[scored.predicted]
    assert names.tolist() == predicted_classes(probabilities, BINARY, 0.3).tolist()
