"""Periods have enough rows each, hold each bucket once, and stay in their range."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.monitoring import HourlyPredictions
from pipeline.monitoring.log.time_periods import (
    MAX_PERIODS,
    bucket_length,
    confidence_by_period,
    merge_into_periods,
)
from pipeline.state import DAY_US, HOUR_US

N_BUCKETS = 12


@given(
    st.dictionaries(st.integers(0, N_BUCKETS - 1), st.integers(0, 40), max_size=N_BUCKETS),
    st.integers(1, 60),
)
def test_each_bucket_is_in_one_period_and_each_period_has_enough_rows(rows: dict[int, int], min_rows: int) -> None:
    n_rows = {10 * place: n for place, n in rows.items()}
    periods = merge_into_periods(n_rows, bounds=(0, 10 * N_BUCKETS), length=10, min_rows=min_rows)
    assert [start for period in periods for start in period.starts] == sorted(start for start, n in n_rows.items() if n)
    assert sum(period.n_rows for period in periods) == sum(n_rows.values())
    assert len(periods) <= 1 or all(period.n_rows >= min_rows for period in periods)
    assert all(one.until <= other.since for one, other in itertools.pairwise(periods))


def test_the_newest_period_is_as_short_as_its_rows_allow() -> None:
    periods = merge_into_periods({0: 100, 10: 4, 20: 4, 30: 4}, bounds=(0, 40), length=10, min_rows=8)
    assert [(period.since, period.until) for period in periods] == [(0, 20), (20, 40)]


def test_too_few_rows_are_one_period_that_does_not_leave_the_range() -> None:
    (period,) = merge_into_periods({0: 1, 10: 2}, bounds=(5, 14), length=10, min_rows=8)
    assert (period.since, period.until, period.n_rows) == (5, 14, 3)


@pytest.mark.parametrize(
    ("hours", "expected"), [(1, HOUR_US), (32, HOUR_US), (72, 3 * HOUR_US), (168, 6 * HOUR_US), (720, DAY_US)]
)
def test_buckets_are_as_short_as_their_largest_number_allows(hours: int, expected: int) -> None:
    length = bucket_length(hours * HOUR_US)
    assert length == expected
    assert hours * HOUR_US <= MAX_PERIODS * length


def test_the_confidence_of_a_period_weighs_its_hours_by_their_predictions() -> None:
    hours = [
        HourlyPredictions(hour * HOUR_US, n, {}, mean, {})
        for hour, n, mean in [(0, 9, 0.5), (1, 30, 0.8), (3, 10, 0.4)]
    ]
    means = [
        (period.since // HOUR_US, period.n_rows, mean) for period, mean in confidence_by_period(hours, min_rows=20)
    ]
    assert means == [(0, 49, pytest.approx((9 * 0.5 + 30 * 0.8 + 10 * 0.4) / 49))]
    assert confidence_by_period([], min_rows=20) == []
