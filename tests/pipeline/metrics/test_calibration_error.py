"""The calibration error has no bias, its interval holds the error, and its gate decides at the stated rates."""

from __future__ import annotations

import numpy as np

from benchmarks.coverage import calibration_gate_rate, coverage_of_metrics, with_drawn_outcomes
from pipeline.metrics import compute_metrics, estimate_metrics
from tests.pipeline.metrics.test_metric_intervals import LOWEST, N_DRAWS, make_population


def test_the_interval_of_the_calibration_error_holds_the_error_of_the_population() -> None:
    wrong = with_drawn_outcomes(make_population(), 0.05, seed=4)
    seen = coverage_of_metrics(wrong, ["ece"], 1000, n_draws=N_DRAWS, seed=1)["ece"]
    assert seen.share >= LOWEST


def test_the_calibration_error_of_perfect_probabilities_may_be_0() -> None:
    population, n_zero = make_population(), 0
    for seed in range(100):
        sample = with_drawn_outcomes(population.take(np.arange(1000 * (seed % 40), 1000 * (seed % 40 + 1))), 0.0, seed)
        estimate = estimate_metrics(sample, ["ece"], confidence_level=0.95)["ece"]
        n_zero += estimate.low == 0.0
        assert estimate.value < compute_metrics(sample, ["ece"])["ece"]
    assert n_zero >= 93


def test_the_calibration_gate_passes_perfect_calibration_and_rejects_an_honest_error() -> None:
    population = make_population()
    rates = [calibration_gate_rate(population, shift, 3705, n_draws=60, seed=2) for shift in (0.0, 0.03)]
    assert rates[0] <= 0.05
    assert rates[1] >= 0.95
