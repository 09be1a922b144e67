"""Realized metrics equal those of the rows; estimated metrics follow from calibrated probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

from pipeline.errors import UnknownOption
from pipeline.metrics import MetricEstimate
from pipeline.monitoring import (
    IntervalOptions,
    Performance,
    ScoreHistogram,
    calculate_realized_performance,
    detect_degradation,
    estimate_performance,
    estimates_agree,
)
from pipeline.schema import Target

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


def test_realized_metrics_equal_scikit_learn() -> None:
    score, y = sample_scores(20_000, 0)
    realized = calculate_realized_performance(make_histogram(score, y), NAMES, n_rows=25_000, intervals=INTERVALS)
    predicted = score >= 0.5
    expected = {
        "accuracy": accuracy_score(y, predicted),
        "f1_weighted": f1_score(y, predicted, average="weighted"),
        "roc_auc": roc_auc_score(y, score),
        "log_loss": log_loss(y, score),
    }
    assert realized.metrics["accuracy"].value == pytest.approx(expected["accuracy"], abs=1e-12)
    assert {name: realized.metrics[name].value for name in expected} == pytest.approx(expected, abs=2e-4)
    assert (realized.n_outcomes, realized.coverage, realized.is_estimated) == (20_000, 0.8, False)


def test_intervals_of_realized_metrics_have_nominal_coverage() -> None:
    big, y = sample_scores(2_000_000, 1)
    truth = accuracy_score(y, big >= 0.5)
    n_covered = 0
    for seed in range(60):
        metric = calculate_realized_performance(
            make_histogram(*sample_scores(1_000, 100 + seed)), ["accuracy"], n_rows=1_000, intervals=INTERVALS
        ).metrics["accuracy"]
        n_covered += metric.low <= truth <= metric.high
    assert n_covered >= 52  # 57 expected of 60


@pytest.mark.parametrize("shape", [(1.0, 2.0), (0.3, 0.3), (5.0, 1.0)])
def test_estimated_metrics_are_right_for_calibrated_probabilities(shape: tuple[float, float]) -> None:
    score, y = sample_scores(400_000, 2, a=shape[0], b=shape[1])
    estimated = estimate_performance(make_histogram(score), NAMES, intervals=INTERVALS)
    realized = calculate_realized_performance(make_histogram(score, y), NAMES, n_rows=len(y), intervals=INTERVALS)
    for name in NAMES:
        assert estimated.metrics[name].value == pytest.approx(realized.metrics[name].value, abs=0.003)
    assert estimated.is_estimated


def test_intervals_of_estimated_metrics_have_nominal_coverage() -> None:
    n_covered = 0
    for seed in range(60):
        score, y = sample_scores(500, seed)
        metric = estimate_performance(make_histogram(score), ["roc_auc"], intervals=INTERVALS).metrics["roc_auc"]
        n_covered += metric.low <= roc_auc_score(y, score) <= metric.high
    assert n_covered >= 52


def test_three_classes_are_expected_from_rows() -> None:
    rng = np.random.default_rng(4)
    probabilities = rng.dirichlet([1, 1, 1], 20_000)
    y = (probabilities.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    predicted = probabilities.argmax(axis=1)
    estimated = estimate_performance(
        ScoreHistogram.from_rows(probabilities, predicted, positive=None),
        ["accuracy", "log_loss"],
        intervals=IntervalOptions(confidence_level=0.95, bootstrap_samples=100, seed=0),
    )
    assert estimated.metrics["accuracy"].value == pytest.approx(accuracy_score(y, predicted), abs=0.01)
    assert estimated.metrics["log_loss"].value == pytest.approx(log_loss(y, probabilities), abs=0.01)


def test_an_estimate_disagrees_when_the_realized_metric_leaves_its_interval() -> None:
    score, y = sample_scores(5_000, 5)
    estimated = estimate_performance(make_histogram(score), NAMES, intervals=INTERVALS)
    consistent = calculate_realized_performance(make_histogram(score, y), NAMES, n_rows=5_000, intervals=INTERVALS)
    inverted = calculate_realized_performance(make_histogram(score, 1 - y), NAMES, n_rows=5_000, intervals=INTERVALS)
    assert estimates_agree(estimated, consistent) == dict.fromkeys(NAMES, True)
    assert estimates_agree(estimated, inverted) == dict.fromkeys(NAMES, False)


def test_a_window_without_outcomes_has_no_realized_metrics() -> None:
    realized = calculate_realized_performance(
        make_histogram(sample_scores(100, 0)[0]), ["accuracy"], n_rows=100, intervals=INTERVALS
    )
    assert (realized.metrics["accuracy"], realized.coverage) == (
        MetricEstimate(None, reason="no outcome is known"),
        0.0,
    )
    assert estimates_agree(realized, realized) == {}


def test_an_empty_window_has_no_estimated_metrics() -> None:
    estimated = estimate_performance(make_histogram(np.empty(0)), ["accuracy"], intervals=INTERVALS)
    assert (estimated.metrics["accuracy"].value, estimated.n_rows, estimated.coverage) == (None, 0, 0.0)


def make_performance(value: float, low: float | None, high: float | None, name: str = "accuracy") -> Performance:
    return Performance({name: MetricEstimate(value, low, high)}, 100, 100, is_estimated=False)


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.80, 0.78, 0.82, "degraded"),
        (0.80, 0.70, 0.90, "ok"),  # it may be chance
        (0.86, 0.85, 0.87, "watch"),
        (0.88, 0.87, 0.91, "ok"),
        (0.95, 0.94, 0.96, "ok"),
        (0.80, None, None, "not_enough_data"),
    ],
)
def test_a_metric_degrades_beyond_threshold_and_chance(
    value: float, low: float | None, high: float | None, expected: str
) -> None:
    (degradation,) = detect_degradation(make_performance(value, low, high), {"accuracy": 0.90}, threshold=0.06)
    assert degradation.verdict == expected


def test_few_outcomes_give_neither_degradation_nor_disagreement() -> None:
    score = np.full(3, 0.9)
    realized = calculate_realized_performance(
        make_histogram(score, np.zeros(3, dtype=np.int64)), ["accuracy"], n_rows=900, intervals=INTERVALS
    )
    estimated = estimate_performance(make_histogram(score), ["accuracy"], intervals=INTERVALS)
    (degradation,) = detect_degradation(realized, {"accuracy": 0.9}, threshold=0.05, min_outcomes=200)
    assert realized.metrics["accuracy"].high > 0.5
    assert degradation.verdict == "not_enough_data"
    assert estimates_agree(estimated, realized, min_outcomes=200) == {}


def test_a_larger_loss_is_worse() -> None:
    (degradation,) = detect_degradation(
        make_performance(0.5, 0.45, 0.55, "log_loss"), {"log_loss": 0.3}, threshold=0.1, kind="absolute"
    )
    assert (degradation.verdict, degradation.worsening, degradation.worsening_lower_bound) == (
        "degraded",
        pytest.approx(0.2),
        pytest.approx(0.15),
    )


def test_a_baseline_goes_by_the_names_that_scikit_learn_gives() -> None:
    (degradation,) = detect_degradation(
        make_performance(0.5, 0.4, 0.6, "f1_weighted"), {"f1_score": 0.9}, threshold=0.05
    )
    assert (degradation.metric, degradation.verdict) == ("f1_score", "degraded")


def test_a_baseline_of_no_metric_is_refused() -> None:
    with pytest.raises(UnknownOption, match=r"^baseline_metrics: .*acuracy"):
        detect_degradation(make_performance(0.5, 0.4, 0.6), {"acuracy": 0.9}, threshold=0.05)
