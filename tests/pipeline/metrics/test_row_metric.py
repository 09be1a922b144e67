"""A metric of an extension is a weighted mean with an interval that covers what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.errors import ConfigError, ExtensionFailed
from pipeline.metrics import METRICS, LabeledPredictions, compare_paired, define_row_metric, estimate_metrics

pytestmark = pytest.mark.usefixtures("extension_tables")

COSTS = np.array([[0.0, 1.0], [5.0, 0.0]])


def define_cost(**options: Any) -> None:
    @define_row_metric("cost", unit="EUR", higher_is_better=False, **options)
    def cost(probabilities: Any, predicted: Any) -> Any:
        return COSTS[:, predicted].T


def draw_rows(n_rows: int, seed: int) -> LabeledPredictions:
    generator = np.random.default_rng(seed)
    score = generator.beta(1.0, 2.0, n_rows)
    y = (generator.random(n_rows) < score).astype(int)
    probabilities = np.column_stack([1.0 - score, score])
    return LabeledPredictions(y=y, probabilities=probabilities, predicted=(score > 0.3).astype(int), positive=1)


def test_the_metric_is_the_mean_cost_of_the_decisions():
    define_cost()
    y, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert METRICS["cost"](y, np.full((4, 2), 0.5), predicted, positive=1) == (0 + 1 + 5 + 0) / 4


@pytest.mark.parametrize("upper", [None, 5.0])
def test_the_interval_covers_the_true_mean(upper):
    define_cost(upper=upper)
    # Mean cost of a row with score p: 5 p without the decision, otherwise 1 - p; the score has density 2 (1 - p).
    points = np.linspace(0.0, 1.0, 200_001)
    expected = np.where(points > 0.3, 1.0 - points, 5.0 * points) * 2.0 * (1.0 - points)
    truth = float(np.trapezoid(expected, points))
    inside = 0
    for seed in range(400):
        estimate = estimate_metrics(draw_rows(300, seed), ["cost"], confidence_level=0.95)["cost"]
        assert estimate.low is not None
        inside += estimate.low <= truth <= estimate.high
    assert 0.92 <= inside / 400 <= 0.99


def test_two_models_are_compared_on_the_same_rows():
    define_cost()
    better = draw_rows(2_000, seed=1)
    worse = LabeledPredictions(
        y=better.y, probabilities=better.probabilities, predicted=np.zeros(2_000, dtype=int), positive=1
    )
    result = compare_paired(better, worse, ["cost"], confidence_level=0.95)
    assert result["cost"].high < 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), r"float64 of shape \(3,\); expected numbers of shape \(3, 2\)"),
        (np.full((3, 2), "a"), "expected numbers"),
        (np.full((3, 2), np.nan), "expected finite values of at least 0"),
        (np.full((3, 2), -1.0), "values from -1 to -1; expected finite values of at least 0 and at most 2"),
        (np.full((3, 2), 3.0), "values from 3 to 3"),
    ],
)
def test_values_of_another_form_are_refused(values, message):
    define_row_metric("wrong", unit="EUR", higher_is_better=False, upper=2.0)(lambda _p, _d: values)
    with pytest.raises(ExtensionFailed, match=message):
        METRICS["wrong"](np.array([0, 1, 1]), np.full((3, 2), 0.5), np.array([0, 1, 1]), positive=1)


def test_a_name_is_given_once():
    define_cost()
    with pytest.raises(ConfigError, match="metric cost: exists already; choose another name"):
        define_cost()
    with pytest.raises(ConfigError, match="metric dear: upper is 0; expected a positive number"):
        define_row_metric("dear", unit="EUR", higher_is_better=False, upper=0)
