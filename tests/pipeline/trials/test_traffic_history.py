"""The traffic of an hour is the difference of the counts at its ends, of all servers together."""

from __future__ import annotations

import pytest

from pipeline.metrics.canary_guard import DURATION_BOUNDS_S
from pipeline.state import HOUR_US, VariantTraffic
from pipeline.trials.traffic_history import traffic_by_hour


def counts(server: str, hour: int, n_requests: int, n_errors: int = 0, *, slow: int = 0) -> VariantTraffic:
    durations = [0] * (len(DURATION_BOUNDS_S) + 1)
    durations[0], durations[4] = n_requests - slow, slow
    return VariantTraffic(
        1, server, "challenger", n_requests, n_errors, 2 * n_requests, tuple(durations), 0.5, hour * HOUR_US + 7
    )


def test_an_hour_has_the_difference_to_the_hour_before() -> None:
    rows = [counts("a", 0, 10, 1), counts("a", 2, 25, 4), counts("b", 2, 5)]
    hours = traffic_by_hour(rows)
    assert [(hour.hour_start // HOUR_US, hour.counts.n_requests, hour.counts.n_predictions) for hour in hours] == [
        (0, 10, 20),
        (2, 20, 40),
    ]
    assert [hour.error_rate for hour in hours] == pytest.approx([0.1, 0.15])


def test_an_hour_without_requests_is_left_out() -> None:
    assert len(traffic_by_hour([counts("a", 0, 10), counts("a", 1, 10)])) == 1


@pytest.mark.parametrize(("n_slow", "bound"), [(5, DURATION_BOUNDS_S[0]), (6, DURATION_BOUNDS_S[4])])
def test_the_percentile_is_the_upper_end_of_its_bin(n_slow: int, bound: float) -> None:
    (hour,) = traffic_by_hour([counts("a", 0, 100, slow=n_slow)])
    assert hour.p95_s == bound
