"""A trial without gain is seldom decided, however often it is looked at; the benchmark runs a thousand of them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.trial_error_rates import null_error_rates, share_won_within

POOL = np.random.default_rng(3).standard_t(3, 5_000)


@pytest.mark.parametrize("correlation", [0.0, 0.02])
def test_trials_without_gain_are_decided_in_at_most_alpha(correlation: float) -> None:
    looks = null_error_rates(POOL, n_trials=100, rng=np.random.default_rng(1), correlation=correlation, n_hours=240)
    assert looks.by_hour <= 0.05 < looks.t_interval


def test_a_gain_is_found_sooner_when_it_is_larger() -> None:
    needed = [
        share_won_within(POOL, gain * POOL.std(), n_trials=30, rng=np.random.default_rng(2), n_hours=480)
        for gain in (0.03, 0.1)
    ]
    assert [won for won, _, _ in needed] == [1.0, 1.0]
    assert needed[1][1] < needed[0][1]
