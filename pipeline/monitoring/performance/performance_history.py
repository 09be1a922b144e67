"""Follow each metric over time, realized and estimated, in periods that have enough rows, from roll-ups alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.metrics import METRICS, MetricEstimate, comparison_verdict
from pipeline.monitoring.log.rollup_layout import OUTCOMES, PREDICTIONS, RollupLayout
from pipeline.monitoring.log.time_periods import read_period_tallies
from pipeline.monitoring.performance.estimation import (
    ESTIMABLE_METRICS,
    calculate_realized_performance,
    expected_metrics,
)
from pipeline.monitoring.performance.performance_report import realized_from_rollups
from pipeline.monitoring.performance.score_histogram import ScoreHistogram
from pipeline.state import HOUR_US, RollupCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.monitoring.log.log_window import PredictionLog
    from pipeline.monitoring.performance.estimation import IntervalOptions
    from pipeline.package import Package

__all__ = ["HistoryOptions", "MetricLine", "PerformancePoint", "metric_lines", "slice_lines"]


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """How metrics over time are calculated and limited.

    Parameters
    ----------
    min_rows : int
        Outcomes, or predictions of an estimate, that each period has.
    intervals : IntervalOptions
    baseline : mapping of metric to value
        The metrics of training.
    threshold : float
        Worsening from which a metric is degraded, as a share of its baseline.
    """

    min_rows: int
    intervals: IntervalOptions
    baseline: Mapping[str, float]
    threshold: float


@dataclass(frozen=True, slots=True)
class PerformancePoint:
    """A metric of the period [since, until), in microseconds since 1970; `n_rows` predictions have outcomes there.

    Of an estimate, `n_rows` are all predictions of the period. With too few rows, or where the metric is not defined,
    `estimate` has no value.
    """

    since: int
    until: int
    n_rows: int
    estimate: MetricEstimate


@dataclass(frozen=True, slots=True)
class MetricLine:
    """A metric over time, with its value in training and its limit; both are None when training did not measure it.

    `slice_value` names the values of a slice, and is empty for all rows. `onset` is the start of the last run of points
    beyond the limit to the hour, where periods are longer than an hour.
    """

    metric: str
    higher_is_better: bool
    baseline: float | None
    limit: float | None
    realized: tuple[PerformancePoint, ...]
    estimated: tuple[PerformancePoint, ...] = ()
    slice_value: str = ""
    onset: int | None = None

    def is_beyond(self, point: PerformancePoint) -> bool:
        """Return whether a point is beyond the limit, and significantly worse than in training."""
        if self.limit is None or self.baseline is None or point.estimate.value is None:
            return False
        sign = 1.0 if self.higher_is_better else -1.0
        difference = point.estimate.minus(self.baseline)
        is_worse = comparison_verdict(difference, higher_is_better=self.higher_is_better) == "worse"
        return is_worse and sign * (point.estimate.value - self.limit) < 0

    @property
    def last_run(self) -> tuple[PerformancePoint, ...]:
        """The unbroken run of points beyond the limit that lasts until the newest one."""
        return tuple(itertools.takewhile(self.is_beyond, reversed(self.realized)))[::-1]

    @property
    def beyond_since(self) -> int | None:
        """Start of the last run, as exact as roll-ups have it; None without one."""
        if self.onset is not None:
            return self.onset
        run = self.last_run
        return run[0].since if run else None

    @property
    def is_beyond_throughout(self) -> bool:
        """Whether each point is beyond the limit, so that it may have begun before the range."""
        return bool(self.realized) and all(map(self.is_beyond, self.realized))


def metric_lines(
    log: PredictionLog,
    package: Package,
    options: HistoryOptions,
    *,
    since: int,
    until: int,
    names: Sequence[str] = ESTIMABLE_METRICS,
) -> tuple[MetricLine, ...]:
    """Return metrics of the predictions of one package over time.

    The start of a last run of points beyond the limit is searched again in single hours.

    Parameters
    ----------
    log : PredictionLog
        With roll-ups up to date.
    package : Package
    options : HistoryOptions
    since, until : int
        In microseconds since 1970; whole hours that overlap the range are evaluated.
    names : sequence of str
        Members of `ESTIMABLE_METRICS`. With more than two classes only metrics of classes are realized, and none is
        estimated, because roll-ups have no probabilities of all classes.
    """
    layout = RollupLayout(package)
    realized: dict[str, list[PerformancePoint]] = {name: [] for name in names}
    estimated: dict[str, list[PerformancePoint]] = {name: [] for name in names}
    for name, point in _realized_points(log, layout, options, (since, until), names=names):
        realized[name].append(point)
    if layout.has_single_score:
        for name, point in _estimated_points(log, layout, options, since=since, until=until, names=names):
            estimated[name].append(point)
    lines = [_line(name, options, realized[name], estimated[name]) for name in names]
    spans = {line.metric: _onset_span(line) for line in lines}
    onsets: dict[str, int | None] = {}
    for span in {span for span in spans.values() if span is not None}:
        worse = [line for line in lines if spans[line.metric] == span]
        hourly: dict[str, list[PerformancePoint]] = {line.metric: [] for line in worse}
        for name, point in _realized_points(log, layout, options, span, names=list(hourly), length=HOUR_US):
            hourly[name].append(point)
        onsets |= {line.metric: replace(line, realized=tuple(hourly[line.metric])).beyond_since for line in worse}
    return tuple(replace(line, onset=onsets.get(line.metric)) for line in lines)


def _onset_span(line: MetricLine) -> tuple[int, int] | None:
    """Return the range in which a last run begins: its first period and the one before; None if hours are known."""
    run = line.last_run
    if not run or run[0].until - run[0].since <= HOUR_US:
        return None
    before = line.realized[max(line.realized.index(run[0]) - 1, 0)]
    return before.since, run[0].until


def slice_lines(
    log: PredictionLog, package: Package, options: HistoryOptions, *, since: int, until: int, column: str, metric: str
) -> tuple[MetricLine, ...]:
    """Return a metric of classes over time for each slice of a column, in the order of its bins.

    Slices without `options.min_rows` outcomes in the range are left out. Parameters as for `metric_lines`; `metric`
    is one of `LABEL_METRICS`.
    """
    layout = RollupLayout(package)
    k = len(package.classes)
    bins = next(each for each in layout.reference.columns if each.name == column)
    outcomes = read_period_tallies(log, package.digest, OUTCOMES, since=since, until=until)
    empty = RollupCounts(0, 0.0, np.zeros(k * k, dtype=np.int64))
    segments = {
        start: [
            (weight, layout.split_section(OUTCOMES, tally.counts)[column].reshape(-1, k * k))
            for weight, tally in tallies
        ]
        for start, tallies in outcomes.by_start.items()
    }
    lines = []
    for position, label in enumerate(bins.labels):
        by_start = {
            start: [(weight, RollupCounts(int(table[position].sum()), 0.0, table[position])) for weight, table in pairs]
            for start, pairs in segments.items()
        }
        tallies = replace(outcomes, by_start=by_start)
        periods = tallies.merge(options.min_rows)
        if not periods or periods[0].n_rows < options.min_rows:
            continue
        points = [
            PerformancePoint(
                period.since,
                period.until,
                period.n_rows,
                _confusion_metric(layout, tallies.sum_period(period, empty), metric, intervals=options.intervals),
            )
            for period in periods
        ]
        lines.append(_line(metric, options, points, [], slice_value=label))
    return tuple(lines)


def _confusion_metric(
    layout: RollupLayout, tally: RollupCounts, metric: str, *, intervals: IntervalOptions
) -> MetricEstimate:
    """Return a metric of classes from counts by predicted class (rows) and outcome."""
    target, k = layout.package.schema.target, len(layout.package.classes)
    confusion = tally.counts.reshape(k, k)
    positive = target.classes.index(target.positive) if layout.has_single_score and target.positive else None
    histogram = ScoreHistogram(np.eye(k), np.arange(k), confusion.sum(axis=1), positive, confusion)
    n_rows = round(float(confusion.sum()))
    return calculate_realized_performance(histogram, (metric,), n_rows=n_rows, intervals=intervals).metrics[metric]


def _realized_points(
    log: PredictionLog,
    layout: RollupLayout,
    options: HistoryOptions,
    span: tuple[int, int],
    *,
    names: Sequence[str],
    length: int | None = None,
) -> Iterator[tuple[str, PerformancePoint]]:
    outcomes = read_period_tallies(log, layout.package.digest, OUTCOMES, since=span[0], until=span[1], length=length)
    for period in outcomes.merge(options.min_rows):
        if period.n_rows < options.min_rows:
            reason = f"{period.n_rows:,} of {options.min_rows:,} outcomes needed"
            metrics = {name: MetricEstimate(None, reason=reason) for name in names}
        else:
            total = outcomes.sum_period(period, layout.empty_tally(OUTCOMES))
            metrics = dict(
                realized_from_rollups(layout, total, period.n_rows, intervals=options.intervals, names=names).metrics
            )
        for name in names:
            if name in metrics:
                yield name, PerformancePoint(period.since, period.until, period.n_rows, metrics[name])


def _estimated_points(
    log: PredictionLog,
    layout: RollupLayout,
    options: HistoryOptions,
    *,
    since: int,
    until: int,
    names: Sequence[str],
) -> Iterator[tuple[str, PerformancePoint]]:
    predictions = read_period_tallies(log, layout.package.digest, PREDICTIONS, since=since, until=until)
    for period in predictions.merge(options.min_rows):
        if period.n_rows < options.min_rows:
            continue
        total = predictions.sum_period(period, layout.empty_tally(PREDICTIONS))
        scores = layout.split_section(PREDICTIONS, total.counts)["score_by_class"].reshape(-1, 2)
        package = layout.package
        histogram = ScoreHistogram.from_counts(package.reference.score, scores, package.schema.target)
        for name, value in expected_metrics(histogram, names).items():
            yield name, PerformancePoint(period.since, period.until, period.n_rows, MetricEstimate(value))


def _line(
    name: str,
    options: HistoryOptions,
    realized: Iterable[PerformancePoint],
    estimated: Iterable[PerformancePoint],
    *,
    slice_value: str = "",
) -> MetricLine:
    is_higher, baseline = METRICS[name].higher_is_better, options.baseline.get(name)
    limit = None
    if baseline is not None:
        scale = abs(baseline) if baseline != 0 else 1.0
        limit = baseline - (1.0 if is_higher else -1.0) * options.threshold * scale
    return MetricLine(name, is_higher, baseline, limit, tuple(realized), tuple(estimated), slice_value)
