"""The interval holds at every look: its formula equals an independent one, and its error rate is below alpha."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.trials.confidence_sequence import SampleMoments, mean_interval, mixture_radius


@pytest.mark.parametrize("n", [2, 48, 100, 5_000])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_radius_equals_the_normal_mixture_bound_of_a_sum(n: int, alpha: float) -> None:
    # Robbins (1970): a sum with variance v leaves sqrt((v + rho) log((v + rho) / (alpha^2 rho))) with chance alpha.
    target, deviation = 100, 0.7
    rho = target / (2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha)))
    bound = deviation * math.sqrt((n + rho) * math.log((n + rho) / (alpha**2 * rho)))
    radius = mixture_radius(n, deviation=deviation, alpha=alpha, target=target)
    assert radius == pytest.approx(bound / n, rel=1e-12)


def test_radius_relative_to_one_look_is_smallest_near_the_target() -> None:
    ratios = {n: mixture_radius(n, deviation=1.0, alpha=0.05, target=100) * math.sqrt(n) for n in (10, 100, 1_000)}
    assert min(ratios, key=ratios.__getitem__) == 100


def test_fewer_than_two_values_bound_nothing() -> None:
    for values in (np.zeros(0), np.ones(1)):
        interval = mean_interval(SampleMoments.of_values(values), alpha=0.05, target=100)
        assert (interval.lower, interval.upper) == (-math.inf, math.inf)


def test_moments_of_sums_equal_those_of_values() -> None:
    values = np.random.default_rng(1).normal(0.1, 2.0, 300)
    by_sums = SampleMoments.of_sums(300, total=float(values.sum()), squares=float((values**2).sum()))
    by_values = SampleMoments.of_values(values)
    assert (by_sums.mean, by_sums.deviation) == pytest.approx((by_values.mean, by_values.deviation))


def test_interval_at_every_look_misses_the_mean_in_at_most_alpha_of_streams() -> None:
    n_streams, n = 400, 720
    values = np.random.default_rng(7).standard_t(5, (n_streams, n))
    counts = np.arange(48, n + 1)
    means = values.cumsum(axis=1)[:, 47:] / counts
    deviations = np.sqrt((values**2).cumsum(axis=1)[:, 47:] / counts - means**2)
    radii = np.array([mixture_radius(int(k), deviation=1.0, alpha=0.05, target=100) for k in counts])
    is_missed = (np.abs(means) > radii * deviations).any(axis=1)
    assert is_missed.mean() <= 0.05
    # A t interval at each look, for comparison, would err in about half of the streams.
    assert (np.abs(means) > 1.96 * deviations / np.sqrt(counts)).any(axis=1).mean() > 0.25
