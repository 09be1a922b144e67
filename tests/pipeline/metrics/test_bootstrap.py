"""Bootstrap intervals have their coverage, and paired intervals separate models."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.metrics import (
    METRICS,
    LabeledPredictions,
    compare_paired,
    estimate_metrics,
    expected_metric_if_calibrated,
    round_significant,
)
from tests.pipeline.metrics.test_metric_table import HAND_EXAMPLE, METRIC_NAMES, binary_predictions


def test_an_interval_holds_its_value_and_narrows_with_more_rows() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < 0.3).astype(int)
    p = np.clip(rng.normal(0.3 + 0.4 * y, 0.2), 0.01, 0.99)
    all_rows = binary_predictions(y.tolist(), p.tolist())
    wide = estimate_metrics(all_rows.take(np.arange(200)), METRIC_NAMES, confidence_level=0.95, n_resamples=300, seed=1)
    narrow = estimate_metrics(all_rows, METRIC_NAMES, confidence_level=0.95, n_resamples=300, seed=1)
    for name in set(METRIC_NAMES) - {"ece"}:  # the calibration error of a resample is biased upwards
        assert narrow[name].low < narrow[name].value < narrow[name].high
        assert narrow[name].high - narrow[name].low < wide[name].high - wide[name].low


def test_the_interval_of_accuracy_is_that_of_the_binomial() -> None:
    rows = binary_predictions([1] * 800 + [0] * 200, [0.9] * 1000)
    estimate = estimate_metrics(rows, ["accuracy"], confidence_level=0.95, n_resamples=4000, seed=3)["accuracy"]
    half = 1.959963984540054 * math.sqrt(0.8 * 0.2 / 1000)
    assert (estimate.low, estimate.high) == pytest.approx((0.8 - half, 0.8 + half), abs=0.002)


def test_intervals_have_nominal_coverage() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        right = (rng.random(150) < 0.8).astype(int)
        rows = binary_predictions(right.tolist(), [0.9] * 150)
        estimate = estimate_metrics(rows, ["accuracy"], confidence_level=0.9, n_resamples=200, seed=seed)["accuracy"]
        covered += estimate.low <= 0.8 <= estimate.high
    assert 0.84 <= covered / 200 <= 0.96


def test_the_same_seed_gives_the_same_interval() -> None:
    first, second = (
        estimate_metrics(HAND_EXAMPLE, METRIC_NAMES, confidence_level=0.9, n_resamples=100, seed=7) for _ in range(2)
    )
    assert first == second


def test_no_interval_when_most_resamples_are_undefined() -> None:
    rows = binary_predictions([1] + [0] * 30, [0.9] + [0.1] * 30)
    estimate = estimate_metrics(rows, ["roc_auc"], confidence_level=0.95, n_resamples=200, seed=0)["roc_auc"]
    assert (estimate.value, estimate.low, estimate.high) == (1.0, None, None)


def test_a_model_is_no_better_than_itself() -> None:
    rows = HAND_EXAMPLE.take(np.arange(40) % 4)
    differences = compare_paired(rows, rows, METRIC_NAMES, confidence_level=0.95, n_resamples=50, seed=0)
    assert {(difference.value, difference.low, difference.high) for difference in differences.values()} == {
        (0.0, 0.0, 0.0)
    }


def test_a_paired_interval_separates_models_that_two_intervals_do_not() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(1000) < 0.5).astype(int)
    p = np.clip(rng.normal(0.2 + 0.6 * y, 0.25), 0.02, 0.98)
    good = binary_predictions(y.tolist(), p.tolist())
    worse = binary_predictions(y.tolist(), (0.5 + (p - 0.5) * 0.9).tolist())
    options = {"confidence_level": 0.95, "n_resamples": 300, "seed": 0}
    difference = compare_paired(good, worse, ["brier"], **options)["brier"]
    first, other = (
        estimate_metrics(good, ["brier"], **options)["brier"],
        estimate_metrics(worse, ["brier"], **options)["brier"],
    )
    assert difference.low > 0 or difference.high < 0
    assert first.low < other.high
    assert other.low < first.high


def test_models_on_different_rows_are_not_compared() -> None:
    with pytest.raises(DataError, match="different true classes"):
        compare_paired(
            HAND_EXAMPLE,
            binary_predictions([0, 1, 1, 0], [0.1] * 4),
            METRIC_NAMES,
            confidence_level=0.95,
            n_resamples=10,
            seed=0,
        )


def test_a_thousand_resamples_of_all_metrics_take_about_a_second() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(3700)
    rows = binary_predictions((rng.random(3700) < p).astype(int).tolist(), p.tolist())
    started = time.perf_counter()
    estimate_metrics(rows, METRIC_NAMES, confidence_level=0.95, n_resamples=1000, seed=0)
    assert time.perf_counter() - started < 2.0  # 0.2 s alone; others may share the processor


@pytest.mark.parametrize(("value", "expected"), [(1 / 3, 0.3333333333), (math.nan, None), (None, None), (0.0, 0.0)])
def test_values_are_rounded_to_ten_significant_digits(value: float | None, expected: float | None) -> None:
    assert round_significant(value) == expected


@pytest.mark.parametrize("n_classes", [2, 3])
def test_expected_metric_if_calibrated_is_the_mean_over_simulated_rows(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(n_classes), 80)
    positive = 1 if n_classes == 2 else None
    predicted = probabilities.argmax(axis=1)
    seen = []
    for _ in range(300):
        y = np.array([rng.choice(n_classes, p=row) for row in probabilities])
        seen.append(METRICS["ece"](y, probabilities, predicted, positive=positive))
    scored = LabeledPredictions(
        y=np.zeros(80, dtype=np.int64), probabilities=probabilities, predicted=predicted, positive=positive
    )
    expected = expected_metric_if_calibrated(scored, "ece", n_resamples=300, seed=1)
    assert expected == pytest.approx(np.mean(seen), abs=4 * np.std(seen) / np.sqrt(300) * np.sqrt(2))


def test_certain_probabilities_that_are_right_have_no_calibration_error_by_chance() -> None:
    sure = np.eye(2)[[0, 1, 1]]
    scored = LabeledPredictions(y=np.array([0, 1, 1]), probabilities=sure, predicted=np.array([0, 1, 1]), positive=1)
    assert expected_metric_if_calibrated(scored, "ece", n_resamples=20, seed=1) == 0.0
