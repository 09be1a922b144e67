"""Each threshold rule finds the best threshold, and ties choose the one nearest to the setting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef

from pipeline.modeling.thresholds import THRESHOLD_RULES


@pytest.mark.parametrize(
    ("rule", "statistic"),
    [("max_f1", f1_score), ("max_mcc", matthews_corrcoef)],
)
@examples(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_threshold_rule_finds_the_best_of_all_thresholds(rule: str, statistic: object, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 20, 60) / 20
    truth = rng.random(60) < 0.2 + 0.6 * scores
    if not 0 < truth.sum() < 60 or len(set(scores)) < 2:
        return
    chosen = statistic(truth, scores >= THRESHOLD_RULES[rule](scores, truth, 0.5))  # type: ignore[operator]
    best = max(statistic(truth, scores >= threshold) for threshold in np.unique(scores)[1:])  # type: ignore[operator]
    assert chosen == pytest.approx(best, abs=1e-12)


def test_balanced_accuracy_is_best_where_the_classes_part() -> None:
    scores, truth = np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, False, True, True])
    assert THRESHOLD_RULES["max_balanced_accuracy"](scores, truth, 0.5) == 0.25


def test_equal_scores_leave_the_fixed_threshold() -> None:
    assert THRESHOLD_RULES["max_f1"](np.full(4, 0.7), np.array([True, False, True, True]), 0.5) == 0.5
