"""An interval decides: beyond the limit fails, within it passes, and a wide one has not enough data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri

from pipeline.config.groups.fairness_config import FairnessLimitConfig
from pipeline.fairness.group_comparison import MeanSample, RateSample, compare_means, compare_rates

RATIO, GAP = FairnessLimitConfig(min_ratio=0.8), FairnessLimitConfig(max_gap=0.1)


def test_a_gap_has_the_interval_of_newcombe() -> None:
    result = compare_rates(RateSample(56, 70), RateSample(48, 80), limit=GAP, quantile=1.959964)
    assert [round(value, 4) for value in (result.effect, result.low, result.high)] == [0.2, 0.0524, 0.3339]


def test_a_ratio_has_the_interval_of_its_logarithm_with_half_a_row() -> None:
    result = compare_rates(RateSample(20, 100), RateSample(30, 100), limit=RATIO, quantile=2.0)
    error = math.sqrt(1 / 20.5 - 1 / 100.5 + 1 / 30.5 - 1 / 100.5)
    expected = [math.exp(math.log(20.5 / 30.5) + sign * 2.0 * error) for sign in (0, -1, 1)]
    assert [result.effect, result.low, result.high] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("group", "others", "verdict"),
    [
        (RateSample(600, 2000), RateSample(1000, 2000), "fail"),
        (RateSample(1000, 2000), RateSample(600, 2000), "fail"),
        (RateSample(1000, 2000), RateSample(1010, 2000), "pass"),
        (RateSample(840, 2000), RateSample(1000, 2000), "watch"),
        (RateSample(4, 10), RateSample(1000, 2000), "not_enough_data"),
        (RateSample(0, 10), RateSample(0, 2000), "not_enough_data"),
    ],
)
def test_the_position_of_the_interval_decides(group: RateSample, others: RateSample, verdict: str) -> None:
    assert compare_rates(group, others, limit=RATIO, quantile=1.96).verdict == verdict


@pytest.mark.parametrize("limit", [RATIO, GAP])
def test_group_and_others_are_treated_alike(limit: FairnessLimitConfig) -> None:
    pairs = [(RateSample(3, 50), RateSample(40, 90)), (RateSample(500, 900), RateSample(450, 900))]
    there = [compare_rates(one, other, limit=limit, quantile=1.7).verdict for one, other in pairs]
    back = [compare_rates(other, one, limit=limit, quantile=1.7).verdict for one, other in pairs]
    assert there == back


def test_means_are_compared_with_their_own_variances() -> None:
    values = np.array([0.1, 0.4, 0.2, 0.9]), np.array([0.3, 0.3, 0.6, 0.2, 0.1])
    samples = [MeanSample(float(each.sum()), float((each**2).sum()), len(each)) for each in values]
    result = compare_means(samples[0], samples[1], limit=GAP, quantile=1.5)
    error = math.sqrt(values[0].var(ddof=1) / 4 + values[1].var(ddof=1) / 5)
    gap = float(values[0].mean() - values[1].mean())
    assert [result.effect, result.low, result.high] == pytest.approx([gap, gap - 1.5 * error, gap + 1.5 * error])


def test_the_smallest_visible_gap_shrinks_with_the_rows() -> None:
    few, many = (
        compare_rates(RateSample(0.3 * n, n), RateSample(0.3 * n, n), limit=GAP, quantile=2.0) for n in (50, 5000)
    )
    error = math.sqrt(0.3 * 0.7 * 2 / 50)
    assert few.smallest_visible == pytest.approx(0.1 + 2.0 * error)
    assert 0.1 < many.smallest_visible < few.smallest_visible


def test_equal_groups_rarely_fail_and_a_planted_ratio_is_found() -> None:
    rng, n_groups, quantile = np.random.default_rng(3), 4, float(ndtri(1 - 0.05 / 4))
    sizes = np.array([3000, *[1000] * (n_groups - 1)])

    def share_of_fails(rates: list[float]) -> float:
        events = rng.binomial(sizes, rates, size=(400, n_groups))
        return float(
            np.mean(
                [
                    compare_rates(
                        RateSample(row[-1], 1000),
                        RateSample(row[:-1].sum(), sizes[:-1].sum()),
                        limit=RATIO,
                        quantile=quantile,
                    ).verdict
                    == "fail"
                    for row in events
                ]
            )
        )

    assert share_of_fails([0.26] * n_groups) <= 0.01
    assert share_of_fails([0.26] * (n_groups - 1) + [0.26 * 0.6]) >= 0.9
