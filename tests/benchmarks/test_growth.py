"""The verdict of the soak benchmark: what grows is found, what is flat or fills up is not."""

from __future__ import annotations

import importlib.util
import math
import sys
from typing import Any

import numpy as np
import pytest

from tests.fixtures.toy_dataset import ROOT

SECONDS = np.arange(0, 480, 2.0)
MB_PER_HOUR = 10.0


@pytest.fixture(scope="module")
def growth() -> Any:
    """The module of the benchmark, which is a script beside others and no package."""
    spec = importlib.util.spec_from_file_location("growth", ROOT / "benchmarks/growth.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["growth"] = module
    spec.loader.exec_module(module)
    return module


def samples(values: Any) -> list[tuple[float, float]]:
    return list(zip(SECONDS.tolist(), np.broadcast_to(values, SECONDS.shape).tolist(), strict=True))


def noise(seed: int, *, correlation: float = 0.7) -> Any:
    """Return samples of an autoregressive process with a deviation of 1."""
    generator = np.random.default_rng(seed)
    values = [generator.normal()]
    for _ in SECONDS[1:]:
        values.append(correlation * values[-1] + math.sqrt(1 - correlation**2) * generator.normal())
    return np.array(values)


def test_a_straight_line_has_its_slope_without_width(growth: Any) -> None:
    trend = growth.fit_trend(samples(100 + 30 * SECONDS / 3600))
    assert (trend.slope, trend.low, trend.high) == pytest.approx((30, 30, 30))


def test_the_slope_of_four_points_is_the_median_of_their_six_slopes(growth: Any) -> None:
    # In order: 1, 1.5, 2, 5, 7, 12.
    trend = growth.fit_trend([(0, 0), (1, 1), (2, 3), (3, 15)])
    assert trend.slope == pytest.approx(3600 * (2 + 5) / 2)


CASES: dict[str, tuple[Any, str]] = {
    "constant": (50.0, "flat"),
    "falls": (50 - 100 * SECONDS / 3600, "flat"),
    "one step in the warm-up": (np.where(SECONDS > 20, 60.0, 50.0), "flat"),
    "one spike": (np.where(SECONDS == 300, 500.0, 50.0), "flat"),
    "saw": (50 + SECONDS % 60, "flat"),
    "below the limit": (50 + 5 * SECONDS / 3600, "flat"),
    "pools that fill up": (60 - 10 * np.exp(-SECONDS / 60), "settles"),
    "a leak": (50 + 40 * SECONDS / 3600, "grows"),
    "a leak in a saw": (50 + SECONDS % 10 / 10 + 60 * SECONDS / 3600, "grows"),
    "a leak that begins late": (50 + np.maximum(SECONDS - 250, 0) / 30, "grows"),
    "steps of one descriptor a minute": (50 + SECONDS // 60, "grows"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_verdict_follows_the_later_half(growth: Any, case: str) -> None:
    values, verdict = CASES[case]
    assert growth.measure_growth(samples(values), limit_per_hour=MB_PER_HOUR).verdict == verdict


def test_noise_is_flat_and_a_leak_in_it_is_found(growth: Any) -> None:
    leak = 90 * SECONDS / 3600  # 6 deviations in the later half
    flat = [growth.measure_growth(samples(noise(seed)), limit_per_hour=MB_PER_HOUR).verdict for seed in range(200)]
    leaking = [
        growth.measure_growth(samples(noise(seed) + leak), limit_per_hour=MB_PER_HOUR).verdict for seed in range(50)
    ]
    assert flat.count("grows") <= 14  # 2.5 % by the interval, and less precision by the correlation
    assert leaking.count("grows") >= 48


def test_the_interval_covers_the_slope(growth: Any) -> None:
    covered = 0
    for seed in range(200):
        trend = growth.fit_trend(samples(noise(seed) + 20 * SECONDS / 3600))
        covered += trend.low <= 20 <= trend.high
    assert covered >= 180
