"""Intervals hold the true value as often as they say, agree with other implementations, or say why there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import binomtest, bootstrap

from benchmarks.coverage import coverage_of_metrics, coverage_of_monitor
from pipeline.metrics import METRICS, LabeledPredictions, compute_metrics, estimate_metrics
from tests.pipeline.metrics.test_metric_table import METRIC_NAMES, binary_predictions, labeled_predictions

N_DRAWS = 400
LOWEST, HIGHEST = 0.92, 0.985  # 95 % of 400 draws, three standard errors of the count around 93 to 97 %


def make_population(n_rows: int = 40_000, *, prevalence: float = 0.26, n_classes: int = 2) -> LabeledPredictions:
    """Return rows as people's data give them: most are sure and right, a few are sure and wrong."""
    rng = np.random.default_rng(3)
    shares = [1.0 - prevalence, prevalence] if n_classes == 2 else np.full(n_classes, 1.0 / n_classes)
    y = rng.choice(n_classes, n_rows, p=shares)
    seen = np.where(rng.random(n_rows) < 0.96, y, rng.integers(0, n_classes, n_rows))
    logits = rng.normal(0.0, 1.0, (n_rows, n_classes)) + 4.0 * np.eye(n_classes)[seen]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return LabeledPredictions(y, probabilities, probabilities.argmax(axis=1), 1 if n_classes == 2 else None)


@pytest.mark.parametrize("n_rows", [200, 1000])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_intervals_of_every_metric_hold_the_true_value_as_often_as_they_say(n_classes: int, n_rows: int) -> None:
    seen = coverage_of_metrics(make_population(n_classes=n_classes), METRIC_NAMES, n_rows, n_draws=N_DRAWS, seed=1)
    shares = {name: coverage.share for name, coverage in seen.items() if name != "ece"}
    assert {name: share for name, share in shares.items() if not LOWEST <= share <= HIGHEST} == {}
    assert {name for name, coverage in seen.items() if coverage.n_shown < 0.9 * N_DRAWS} == set()


def test_intervals_of_a_window_hold_the_true_value_at_the_least_number_of_outcomes() -> None:
    names = ["roc_auc", "log_loss", "accuracy", "precision", "recall"]
    seen = coverage_of_monitor(make_population(), names, 200, n_draws=N_DRAWS, seed=5)
    shares = {name: coverage.share for name, coverage in seen.items()}
    assert {name: share for name, share in shares.items() if not LOWEST <= share <= HIGHEST} == {}


def predictions_with_a_rare_class(rng: np.random.Generator, n_rows: int = 294) -> LabeledPredictions:
    """Return calibrated predictions of five classes, of which the rarest has few rows."""
    odds = np.array([0.43, 0.41, 0.10, 0.045, 0.015]) * np.exp(rng.normal(0.0, 2.0, (n_rows, 5)))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    y = (rng.random((n_rows, 1)) > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return LabeledPredictions(y, probabilities, probabilities.argmax(axis=1), None)


def test_the_calibration_error_has_an_interval_despite_a_rare_class_if_rows_are_right_and_wrong() -> None:
    rng = np.random.default_rng(0)
    samples = [predictions_with_a_rare_class(rng) for _ in range(200)]
    rare = [sample for sample in samples if np.bincount(sample.y, minlength=5).min() < 20]
    estimates = [estimate_metrics(sample, ["ece"], confidence_level=0.95)["ece"] for sample in rare]
    n_covered = sum(estimate.low == 0.0 for estimate in estimates)
    assert (len(rare) > 100, n_covered >= 0.93 * len(rare)) == (True, True)


def test_the_calibration_error_has_no_interval_where_a_class_is_rare_and_every_row_is_right() -> None:
    sample = predictions_with_a_rare_class(np.random.default_rng(0))
    right = LabeledPredictions(sample.predicted, sample.probabilities, sample.predicted, None)
    estimate = estimate_metrics(right, ["ece"], confidence_level=0.95)["ece"]
    assert (estimate.low, "the rarest class has" in str(estimate.reason)) == (None, True)


@pytest.mark.parametrize(("prevalence", "n_rows"), [(0.02, 200), (0.01, 1000), (0.001, 3705)])
def test_rare_positives_give_the_reason_in_place_of_an_interval(prevalence: float, n_rows: int) -> None:
    sample = make_population(prevalence=prevalence).take(np.arange(n_rows))
    estimates = estimate_metrics(sample, METRIC_NAMES, confidence_level=0.95)
    n_rarest = int((sample.y == 1).sum())
    for name in ("roc_auc", "pr_auc", "log_loss", "brier", "ece", "balanced_accuracy", "mcc"):
        needed = 20 if METRICS[name].needs == "scores" else 10
        if n_rarest < needed:
            expected = f"the rarest class has {n_rarest} rows; an interval needs {needed} of each class"
            assert (estimates[name].low, estimates[name].high, estimates[name].reason) == (None, None, expected)
    assert n_rarest < 20
    assert estimates["accuracy"].low < estimates["accuracy"].value < estimates["accuracy"].high


@settings(max_examples=60, deadline=None)
@given(labeled_predictions(min_rows=2))
def test_there_is_either_an_interval_around_the_value_or_a_reason(rows: LabeledPredictions) -> None:
    for name, estimate in estimate_metrics(rows, METRIC_NAMES, confidence_level=0.95).items():
        assert (estimate.low is None) == (estimate.high is None) == (estimate.reason is not None), name
        if estimate.low is not None:
            assert METRICS[name].bounds[0] <= estimate.low <= estimate.value <= estimate.high <= METRICS[name].bounds[1]


def test_accuracy_has_the_interval_that_scipy_gives() -> None:
    rows = binary_predictions([1] * 961 + [0] * 39, [0.9] * 1000)
    estimate = estimate_metrics(rows, ["accuracy"], confidence_level=0.95)["accuracy"]
    expected = binomtest(961, 1000).proportion_ci(method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_recall_and_precision_have_the_intervals_of_their_rows() -> None:
    rows = binary_predictions([1] * 300 + [0] * 700, [0.9] * 270 + [0.1] * 30 + [0.9] * 60 + [0.1] * 640)
    estimates = estimate_metrics(rows, ["recall", "precision"], confidence_level=0.95)
    for name, hits, n in (("recall", 270, 300), ("precision", 270, 330)):
        expected = binomtest(hits, n).proportion_ci(method="wilson")
        assert (estimates[name].low, estimates[name].high) == pytest.approx((expected.low, expected.high), abs=2e-3)


@pytest.mark.parametrize("name", [name for name in METRIC_NAMES if name != "ece"])
def test_the_interval_is_as_wide_as_the_bootstrap_of_scipy_on_many_rows(name: str) -> None:
    rows = make_population().take(np.arange(4000))
    resampled = bootstrap(
        (np.arange(4000),),
        lambda drawn: compute_metrics(rows.take(drawn), [name])[name],
        n_resamples=300,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    estimate = estimate_metrics(rows, [name], confidence_level=0.95)[name]
    assert estimate.high - estimate.low == pytest.approx(resampled.high - resampled.low, rel=0.2)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_a_weight_counts_as_so_many_equal_rows(name: str) -> None:
    rows = make_population().take(np.arange(400))
    weights = np.random.default_rng(0).integers(0, 4, 400)
    weighted = estimate_metrics(rows, [name], confidence_level=0.95, weights=weights.astype(float))[name]
    repeated = estimate_metrics(rows.take(np.repeat(np.arange(400), weights)), [name], confidence_level=0.95)[name]
    assert (weighted.value, weighted.low, weighted.high) == pytest.approx(
        (repeated.value, repeated.low, repeated.high), rel=1e-6
    )


def test_an_interval_narrows_with_more_rows_and_widens_with_its_level() -> None:
    rows = make_population()
    few = estimate_metrics(rows.take(np.arange(300)), METRIC_NAMES, confidence_level=0.95)
    many, surer = (
        estimate_metrics(rows.take(np.arange(6000)), METRIC_NAMES, confidence_level=level) for level in (0.95, 0.99)
    )
    for name in METRIC_NAMES:
        assert many[name].high - many[name].low < few[name].high - few[name].low
        assert many[name].high - many[name].low < surer[name].high - surer[name].low


@pytest.mark.parametrize("n_rows", [200, 1000])
def test_certain_and_wrong_rows_have_no_bounds_beyond_the_metric(n_rows: int) -> None:
    y = np.arange(n_rows) % 2
    wrong = LabeledPredictions(y, np.eye(2)[1 - y], 1 - y, 1)
    estimates = estimate_metrics(wrong, METRIC_NAMES, confidence_level=0.95)
    assert estimates["ece"].high == 1.0
    assert estimates["log_loss"].reason == "the rows do not vary"
