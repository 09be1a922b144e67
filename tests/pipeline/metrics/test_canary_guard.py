"""The canary guard stops a failing or slow challenger soon, and a sound one within the declared rate."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.metrics.canary_guard import DURATION_BOUNDS_S, VariantCounts, check_canary
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

CANARY = settings().lifecycle.canary
_BINS = len(DURATION_BOUNDS_S) + 1


def requests_until_stop(failures: NDArray[np.bool_]) -> int | None:
    """Return the number of requests after which the guard stops; None if it never does."""
    for n in (np.flatnonzero(failures) + 1).tolist():  # evidence grows with an error only
        counts = VariantCounts(n_requests=n, n_errors=int(failures[:n].sum()))
        if check_canary(VariantCounts(), counts, CANARY).must_stop:
            return int(n)
    return None


def median_requests_until_stop(rate: float, *, n: int, n_runs: int = 60) -> float:
    rng = np.random.default_rng(7)
    stops = [requests_until_stop(rng.random(n) < rate) for _ in range(n_runs)]
    return float(np.median([np.inf if stop is None else stop for stop in stops]))


@pytest.mark.parametrize(("rate", "n", "most"), [(0.05, 2_000, 170), (0.2, 400, 20), (1.0, 20, 4)])
def test_a_failing_challenger_is_stopped_after_few_requests(rate: float, n: int, most: int) -> None:
    assert median_requests_until_stop(rate, n=n) <= most


@pytest.mark.parametrize("rate", [0.001, 0.01])
def test_a_challenger_within_the_allowed_rate_goes_on_for_a_day(rate: float) -> None:
    rng = np.random.default_rng(3)
    stops = [requests_until_stop(rng.random(1_200) < rate) for _ in range(200)]
    assert sum(stop is not None for stop in stops) <= 200 * CANARY.false_stop_rate


def durations(values: NDArray[np.float64]) -> tuple[int, ...]:
    bins = [bisect_left(DURATION_BOUNDS_S, value) for value in values.tolist()]
    return tuple(np.bincount(bins, minlength=_BINS).tolist())


def slow_stops(factor: float, *, n_runs: int, n: int = 400, looks: int = 40) -> int:
    """Return in how many runs a challenger that is `factor` times slower is stopped; durations have a heavy tail."""
    rng, n_stops = np.random.default_rng(11), 0
    for _ in range(n_runs):
        slow = 0.004 * factor * np.exp(rng.normal(size=n))
        fast = 0.004 * np.exp(rng.normal(size=19 * n))
        n_stops += any(
            check_canary(
                VariantCounts(durations=durations(fast[: 19 * until])),
                VariantCounts(durations=durations(slow[:until])),
                CANARY,
            ).must_stop
            for until in range(n // looks, n + 1, n // looks)
        )
    return n_stops


def test_a_challenger_at_the_allowed_slowdown_goes_on() -> None:
    assert slow_stops(CANARY.max_slowdown, n_runs=40) == 0


def test_a_challenger_beyond_the_allowed_slowdown_is_stopped() -> None:
    assert slow_stops(3 * CANARY.max_slowdown, n_runs=10) == 10


def test_100_ms_more_are_seen_within_20_requests() -> None:
    champion = VariantCounts(durations=durations(np.full(19 * 20, 0.0004)))
    challenger = VariantCounts(durations=durations(np.full(20, 0.1004)))
    assert check_canary(champion, challenger, CANARY).cause == "slowdown"


def test_differences_below_the_first_bound_do_not_count() -> None:
    champion = VariantCounts(durations=durations(np.full(5_000, 0.00002)))
    challenger = VariantCounts(durations=durations(np.full(500, 0.0009)))
    assert not check_canary(champion, challenger, CANARY).must_stop


def test_no_requests_are_no_evidence() -> None:
    assert not check_canary(VariantCounts(), VariantCounts(), CANARY).must_stop


def test_counts_of_two_servers_add_up() -> None:
    one = VariantCounts(3, 1, 5, durations(np.array([0.0005, 99.0])), 99.0005)
    assert one + one == replace(
        one, n_requests=6, n_errors=2, n_predictions=10, durations=tuple(2 * n for n in one.durations),
        duration_sum_s=198.001,
    )  # fmt: skip
