"""The band of the gain ends with the verdict, and is what each earlier look had."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.state import HOUR_US
from pipeline.trials import gain_band, trial_verdict
from pipeline.trials.trial_comparison import Comparison
from tests.app.loop_history import make_trial
from tests.fixtures.toy_dataset import settings


def compare(n_hours: int) -> Comparison:
    sums = np.random.default_rng(3).normal(0.3, 1.0, n_hours)
    rows = np.full(n_hours, 20.0)
    return Comparison("log_loss", rows, sums, sums**2, 20 * n_hours, 0, until_outcome=1, compared_at=HOUR_US)


@pytest.mark.parametrize("unit", ["hour", "row"])
def test_each_point_is_the_verdict_of_the_hours_before_it(unit: str) -> None:
    config = settings().lifecycle.trial.model_copy(update={"unit": unit})
    trial = replace(make_trial("m", 0), settings={"trial": config.model_dump(mode="json")})
    band = gain_band(compare(300), trial, alpha=0.05)
    assert (len(band), band[0].n_outcomes, band[-1].n_outcomes) == (200, 40, 6_000)
    for point in (band[10], band[-1]):
        n = point.n_outcomes // 20
        whole = compare(300)
        earlier = replace(
            whole, weights=whole.weights[:n], sums=whole.sums[:n], squares=whole.squares[:n], n_outcomes=20 * n
        )
        verdict = trial_verdict(earlier, config, opened_at=0)
        assert (point.gain, point.lower, point.upper) == pytest.approx((verdict.gain, verdict.lower, verdict.upper))


@pytest.mark.parametrize("n_hours", [0, 1])
def test_one_hour_has_no_band(n_hours: int) -> None:
    assert gain_band(compare(n_hours), make_trial("m", 0), alpha=0.05) == ()


def test_hours_whose_outcomes_were_all_withdrawn_have_no_point() -> None:
    trial, weights = make_trial("m", 0), np.array([20.0, -20.0, 20.0])
    assert [point.n_outcomes for point in gain_band(replace(compare(3), weights=weights), trial, alpha=0.05)] == [60]
    assert gain_band(replace(compare(2), weights=weights[:2]), trial, alpha=0.05) == ()
