"""Compare the last day of predictions with the day before it, hour by hour, from roll-ups alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.monitoring.log.hourly_traffic import latency_percentile
from pipeline.state import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.monitoring.log.hourly_traffic import HourlyOutcomes, HourlyPredictions

__all__ = ["N_HOURS", "DayComparison", "DayTraffic", "compare_days"]

N_HOURS = 24
_PERCENTILE = 0.95


@dataclass(frozen=True, slots=True)
class DayTraffic:
    """The traffic of 24 hours; what too few rows would show is None.

    Attributes
    ----------
    n_predictions, n_outcomes : float
    mean_confidence, error_rate : float or None
    p95_latency_ms : float or None
    """

    n_predictions: float
    n_outcomes: float
    mean_confidence: float | None
    error_rate: float | None
    p95_latency_ms: float | None


@dataclass(frozen=True, slots=True)
class DayComparison:
    """The last 24 hours, the present one included, and the 24 hours before.

    The present hour is not complete. Of its hour a day ago, the same share of predictions and outcomes is counted.

    `predictions`, `confidences`, `error_rates` and `latencies` have the values of the hours of the last day that have
    any, oldest first.
    """

    today: DayTraffic
    before: DayTraffic
    predictions: tuple[float, ...]
    confidences: tuple[float, ...]
    error_rates: tuple[float, ...]
    latencies: tuple[float, ...]

    def change(self, value: Callable[[DayTraffic], float | None]) -> float | None:
        """Return by how much a value differs from the day before; None if either is unknown."""
        now, earlier = value(self.today), value(self.before)
        return None if now is None or earlier is None else now - earlier


def compare_days(
    predictions: Sequence[HourlyPredictions], outcomes: Sequence[HourlyOutcomes], *, now: int, min_rows: int
) -> DayComparison:
    """Return the last day and the day before; a day with fewer rows or outcomes than `min_rows` has no statistics.

    With whole hours of the day before, equal traffic would seem to fall until the present hour is complete.
    """
    first = now - now % HOUR_US - (N_HOURS - 1) * HOUR_US
    days = [
        (
            [hour for hour in predictions if since <= hour.hour < since + N_HOURS * HOUR_US],
            [hour for hour in outcomes if since <= hour.hour < since + N_HOURS * HOUR_US],
        )
        for since in (first, first - N_HOURS * HOUR_US)
    ]
    (hours, known), (hours_before, known_before) = days
    passed, last = now % HOUR_US / HOUR_US, first - HOUR_US
    hours_before = [
        replace(hour, n_predictions=passed * hour.n_predictions) if hour.hour == last else hour for hour in hours_before
    ]
    known_before = [
        replace(hour, n_outcomes=passed * hour.n_outcomes, n_errors=passed * hour.n_errors)
        if hour.hour == last
        else hour
        for hour in known_before
    ]
    by_hour = {hour.hour: hour.n_predictions for hour in hours}
    latencies = [latency_percentile([hour], _PERCENTILE) for hour in hours]
    return DayComparison(
        today=_summarize(hours, known, min_rows),
        before=_summarize(hours_before, known_before, min_rows),
        predictions=tuple(by_hour.get(first + number * HOUR_US, 0.0) for number in range(N_HOURS)),
        confidences=tuple(hour.mean_confidence for hour in hours),
        error_rates=tuple(hour.n_errors / hour.n_outcomes for hour in known if hour.n_outcomes),
        latencies=tuple(latency for latency in latencies if latency is not None),
    )


def _summarize(hours: Sequence[HourlyPredictions], outcomes: Sequence[HourlyOutcomes], min_rows: int) -> DayTraffic:
    n = sum(hour.n_predictions for hour in hours)
    n_outcomes = sum(hour.n_outcomes for hour in outcomes)
    has_rows = n >= min_rows
    return DayTraffic(
        n_predictions=n,
        n_outcomes=n_outcomes,
        mean_confidence=sum(hour.mean_confidence * hour.n_predictions for hour in hours) / n if has_rows else None,
        error_rate=sum(hour.n_errors for hour in outcomes) / n_outcomes if n_outcomes >= min_rows else None,
        p95_latency_ms=latency_percentile(hours, _PERCENTILE) if has_rows else None,
    )
