"""Two models are distinguished where their rows do it, and one function decides which is better."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage import coverage_of_differences
from pipeline.errors import DataError
from pipeline.metrics import (
    METRICS,
    LabeledPredictions,
    MetricEstimate,
    compare_paired,
    comparison_verdict,
    estimate_metrics,
)
from pipeline.metrics.metric_estimate import TOO_FEW_DIFFERENT_ROWS
from tests.pipeline.metrics.test_metric_intervals import make_population
from tests.pipeline.metrics.test_metric_table import HAND_EXAMPLE, METRIC_NAMES, binary_predictions


def noisier(rows: LabeledPredictions, deviation: float, seed: int = 1) -> LabeledPredictions:
    """Return the same rows with noise on their log odds."""
    noise = np.random.default_rng(seed).normal(0.0, deviation, rows.n_rows)
    score = 1 / (1 + np.exp(-(np.log(rows.probabilities[:, 1] / rows.probabilities[:, 0]) + noise)))
    return LabeledPredictions(rows.y, np.column_stack([1 - score, score]), (score >= 0.5).astype(np.int64), 1)


@pytest.mark.parametrize("n_rows", [400, 1500])
def test_paired_intervals_hold_the_true_difference(n_rows: int) -> None:
    population = make_population()
    names = [name for name in METRIC_NAMES if name != "ece"]
    seen = coverage_of_differences(population, noisier(population, 2.5), names, n_rows=n_rows, n_draws=200, seed=1)
    assert {name: round(each.share, 3) for name, each in seen.items() if each.share < 0.9} == {}


def test_equal_models_are_called_different_no_more_often_than_stated() -> None:
    population, n_different = make_population(), 0
    first, second = noisier(population, 0.5, 1), noisier(population, 0.5, 2)
    for seed in range(200):
        drawn = np.random.default_rng(seed).integers(0, population.n_rows, 500)
        difference = compare_paired(first.take(drawn), second.take(drawn), ["log_loss"], confidence_level=0.95)
        n_different += comparison_verdict(difference["log_loss"], higher_is_better=False) in ("better", "worse")
    assert n_different <= 20


def test_a_model_is_no_better_than_itself() -> None:
    rows = HAND_EXAMPLE.take(np.arange(40) % 4)
    differences = compare_paired(rows, rows, METRIC_NAMES, confidence_level=0.95)
    assert {(each.value, each.low, each.high) for each in differences.values()} == {(0.0, 0.0, 0.0)}


def test_a_paired_interval_separates_models_that_two_intervals_do_not() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(1000) < 0.5).astype(int)
    p = np.clip(rng.normal(0.2 + 0.6 * y, 0.25), 0.02, 0.98)
    good = binary_predictions(y.tolist(), p.tolist())
    worse = binary_predictions(y.tolist(), (0.5 + (p - 0.5) * 0.9).tolist())
    difference = compare_paired(good, worse, ["brier"], confidence_level=0.95)["brier"]
    first, other = (estimate_metrics(rows, ["brier"], confidence_level=0.95)["brier"] for rows in (good, worse))
    assert comparison_verdict(difference, higher_is_better=False) == "better"
    assert first.low < other.high
    assert other.low < first.high


def test_models_that_differ_in_one_row_have_no_significant_difference() -> None:
    rows = binary_predictions([1, 0] * 100, [0.9, 0.1] * 100)
    other = binary_predictions([1, 0] * 100, [0.9, 0.1] * 99 + [0.9, 0.6])
    for name, difference in compare_paired(
        rows, other, ["accuracy", "recall", "f1_macro"], confidence_level=0.95
    ).items():
        verdict = comparison_verdict(difference, higher_is_better=METRICS[name].higher_is_better)
        assert verdict in ("no significant difference", "equal")


def test_models_on_different_rows_are_not_compared() -> None:
    other = binary_predictions([0, 1, 1, 0], [0.1] * 4)
    with pytest.raises(DataError, match="different true classes"):
        compare_paired(HAND_EXAMPLE, other, METRIC_NAMES, confidence_level=0.95)


@pytest.mark.parametrize(
    ("difference", "higher_is_better", "margin", "expected"),
    [
        (MetricEstimate(0.02, 0.01, 0.03), True, 0.0, "better"),
        (MetricEstimate(0.02, 0.01, 0.03), False, 0.0, "worse"),
        (MetricEstimate(-0.0004, -0.002, 0.001), True, 0.0, "no significant difference"),
        (MetricEstimate(0.0, 0.0, 0.0), True, 0.0, "equal"),
        (MetricEstimate(0.01, 0.0, 0.03), True, 0.0, "no significant difference"),
        (MetricEstimate(0.001, -0.001, 0.0015), False, 0.002, "better"),
        (MetricEstimate(0.004, 0.003, 0.005), False, 0.002, "worse"),
        (MetricEstimate(0.01, None, None, "the rows do not vary"), True, 0.0, "not compared"),
        (MetricEstimate(0.01, None, None, TOO_FEW_DIFFERENT_ROWS), True, 0.0, "no significant difference"),
        (None, True, 0.0, "not compared"),
    ],
)
def test_the_interval_of_a_difference_gives_the_verdict(
    difference: MetricEstimate | None, higher_is_better: bool, margin: float, expected: str
) -> None:
    assert comparison_verdict(difference, higher_is_better=higher_is_better, margin=margin) == expected
