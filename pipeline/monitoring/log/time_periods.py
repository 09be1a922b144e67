"""Divide a time range into periods that each have enough rows, from roll-ups alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline import state as store
from pipeline.monitoring.log.log_window import Window
from pipeline.monitoring.log.sampling_weights import effective_sample
from pipeline.state import DAY_US, HOUR_US

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.monitoring.log.hourly_traffic import HourlyPredictions
    from pipeline.monitoring.log.log_window import PredictionLog
    from pipeline.state import RollupCounts

    WeightedTally = tuple[float, RollupCounts]

__all__ = [
    "MAX_PERIODS",
    "PeriodTallies",
    "TimePeriod",
    "bucket_length",
    "confidence_by_period",
    "merge_into_periods",
    "read_period_tallies",
]

MAX_PERIODS = 32
_HOURS_OF_BASE = (1, 2, 3, 6, 12)


@dataclass(frozen=True, slots=True)
class TimePeriod:
    """The rows of [since, until), in microseconds since 1970, in the buckets that begin at `starts`."""

    since: int
    until: int
    n_rows: int
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PeriodTallies:
    """The tallies of one section of one package by the begin of their bucket; all buckets have `length`."""

    since: int
    until: int
    length: int
    by_start: Mapping[int, Sequence[WeightedTally]]

    @property
    def n_rows_by_start(self) -> dict[int, float]:
        """The rows of each bucket."""
        return {start: sum(tally.n_rows for _, tally in tallies) for start, tallies in self.by_start.items()}

    def merge(self, min_rows: int) -> list[TimePeriod]:
        """Return periods with at least `min_rows` rows each, in order."""
        return merge_into_periods(
            self.n_rows_by_start, bounds=(self.since, self.until), length=self.length, min_rows=min_rows
        )

    def sum_period(self, period: TimePeriod, empty: RollupCounts) -> RollupCounts:
        """Return the tallies of a period as one sample of equal weights, beginning with `empty`."""
        return effective_sample((pair for start in period.starts for pair in self.by_start.get(start, ())), empty)


def read_period_tallies(
    log: PredictionLog, digest: str, section: str, *, since: int, until: int, length: int | None = None
) -> PeriodTallies:
    """Return the tallies of one package in the whole hours that overlap [since, until).

    Only roll-ups are read, whatever the number of rows.

    Parameters
    ----------
    log : PredictionLog
        With roll-ups up to date.
    digest : str
        Of the package.
    section : str
        `FEATURES`, `PREDICTIONS` or `OUTCOMES`.
    since, until : int
        In microseconds since 1970.
    length : int, optional
        Of a bucket, in microseconds; when None, it is as short as `MAX_PERIODS` buckets allow.
    """
    first, last = since - since % HOUR_US, -(-until // HOUR_US) * HOUR_US
    length = bucket_length(last - first) if length is None else length
    by_start: dict[int, list[WeightedTally]] = {}
    with log.state.reading() as connection:
        for granularity, begin, end in _spans(first, last, length):
            rollups = store.read_rollups(
                connection,
                log.model,
                section,
                since=begin,
                until=end,
                granularity=granularity,
                digest=digest,
                sources=log.sources,
            )
            for key, tally in rollups:
                if tally.n_rows:
                    start = key.hour_start - key.hour_start % length
                    by_start.setdefault(start, []).append((key.weight, tally))
    return PeriodTallies(first, last, length, dict(sorted(by_start.items())))


def merge_into_periods(
    n_rows_by_start: Mapping[int, float], *, bounds: tuple[int, int], length: int, min_rows: int
) -> list[TimePeriod]:
    """Merge consecutive buckets until each period has at least `min_rows` rows.

    Periods are made from the newest bucket back, so the newest period always has enough rows. What is left at the start
    belongs to the oldest period; if all buckets together have too few rows, they are one period.

    Parameters
    ----------
    n_rows_by_start : mapping of the begin of a bucket to its rows
        Buckets without rows may be left out.
    bounds : (int, int)
        The range that periods do not leave.
    length : int
        Of a bucket, in microseconds.
    min_rows : int

    Examples
    --------
    >>> periods = merge_into_periods({0: 5, 10: 3, 20: 2, 30: 9}, bounds=(0, 40), length=10, min_rows=5)
    >>> [(period.since, period.until, period.n_rows) for period in periods]
    [(0, 10, 5), (10, 30, 5), (30, 40, 9)]
    """
    groups: list[list[int]] = []
    pending: list[int] = []
    for start in sorted((start for start, n in n_rows_by_start.items() if n), reverse=True):
        pending.append(start)
        if sum(n_rows_by_start[each] for each in pending) >= min_rows:
            groups.append(pending)
            pending = []
    if pending and groups:
        groups[-1].extend(pending)
    elif pending:
        groups.append(pending)
    return [
        TimePeriod(
            max(group[-1], bounds[0]),
            min(group[0] + length, bounds[1]),
            round(sum(n_rows_by_start[start] for start in group)),
            tuple(reversed(group)),
        )
        for group in reversed(groups)
    ]


def _spans(first: int, last: int, length: int) -> list[tuple[Literal["hour", "day"], int, int]]:
    """Return granularity, start and end of the roll-ups that cover whole hours: days where buckets are days."""
    if length % DAY_US:
        return [("hour", first, last)]
    return [span for span in Window(first, last, first, last).buckets() if span[1] < span[2]]


def confidence_by_period(hours: Sequence[HourlyPredictions], *, min_rows: int) -> list[tuple[TimePeriod, float]]:
    """Return the mean confidence of periods of whole hours, merged until each has `min_rows` predictions."""
    if not hours:
        return []
    by_hour = {hourly.hour: hourly for hourly in hours}
    bounds = (min(by_hour), max(by_hour) + HOUR_US)
    n_rows = {hour: hourly.n_predictions for hour, hourly in by_hour.items()}
    means = []
    for period in merge_into_periods(n_rows, bounds=bounds, length=HOUR_US, min_rows=min_rows):
        parts = [by_hour[start] for start in period.starts]
        total = sum(part.n_predictions for part in parts)
        means.append((period, sum(part.n_predictions * part.mean_confidence for part in parts) / total))
    return means


def bucket_length(span: int) -> int:
    """Return the shortest length of buckets of which at most `MAX_PERIODS` cover a span."""
    for hours in _HOURS_OF_BASE:
        if span <= MAX_PERIODS * hours * HOUR_US:
            return hours * HOUR_US
    return -(-span // (MAX_PERIODS * DAY_US)) * DAY_US
