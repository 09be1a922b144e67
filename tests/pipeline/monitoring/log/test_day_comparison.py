"""The last 24 hours are compared with the 24 before, and a day with too few rows has no statistics."""

from __future__ import annotations

import pytest

from pipeline.monitoring import HourlyOutcomes, HourlyPredictions
from pipeline.monitoring.log.day_comparison import N_HOURS, compare_days
from pipeline.state import HOUR_US

_PRESENT = 491_000 * HOUR_US
_NOW = _PRESENT + 5


def _hour(hours_ago: int, n: float, confidence: float, latency_bin: int = 100) -> HourlyPredictions:
    return HourlyPredictions(_PRESENT - hours_ago * HOUR_US, n, {}, confidence, {}, {latency_bin: n})


def test_each_hour_belongs_to_one_day() -> None:
    hours = [_hour(48, 1, 0.5), _hour(47, 10, 0.5), _hour(24, 20, 0.5), _hour(23, 100, 0.9), _hour(0, 300, 0.7)]
    days = compare_days(hours, (), now=_PRESENT + HOUR_US // 2, min_rows=10)
    assert (days.today.n_predictions, days.before.n_predictions) == (400, 20)
    assert days.today.mean_confidence == pytest.approx(0.75)
    assert days.change(lambda day: day.mean_confidence) == pytest.approx(0.25)
    assert (len(days.predictions), days.predictions[0], days.predictions[-1]) == (N_HOURS, 100, 300)


def test_equal_traffic_has_no_change_within_an_hour() -> None:
    now = _PRESENT + HOUR_US // 4
    hours = [_hour(ago, 100, 0.5) for ago in range(1, 49)] + [_hour(0, 25, 0.5)]
    outcomes = [HourlyOutcomes(hour.hour, hour.n_predictions / 5, hour.n_predictions / 10) for hour in hours]
    days = compare_days(hours, outcomes, now=now, min_rows=10)
    assert days.today == days.before


def test_too_few_rows_or_outcomes_have_no_statistics() -> None:
    outcomes = (HourlyOutcomes(_PRESENT, 9, 3),)
    days = compare_days([_hour(0, 9, 0.9)], outcomes, now=_NOW, min_rows=10)
    assert (days.today.mean_confidence, days.today.error_rate, days.today.p95_latency_ms) == (None, None, None)
    assert days.change(lambda day: day.error_rate) is None
    enough = compare_days([_hour(0, 9, 0.9)], outcomes, now=_NOW, min_rows=9)
    assert enough.today.error_rate == pytest.approx(1 / 3)


def test_the_percentile_of_a_day_is_that_of_its_rows_not_of_its_hours() -> None:
    days = compare_days([_hour(1, 96, 0.9, 100), _hour(0, 4, 0.9, 200)], (), now=_NOW, min_rows=1)
    assert days.latencies[0] < days.latencies[1]
    assert days.today.p95_latency_ms == days.latencies[0]
