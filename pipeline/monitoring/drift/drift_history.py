"""Follow the drift of each column over time, in periods that have enough rows, from roll-ups alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pipeline.monitoring.drift.detection import detect_drift
from pipeline.monitoring.log.log_batch import loggable_reference
from pipeline.monitoring.log.rollup_layout import FEATURES, PREDICTIONS, RollupLayout
from pipeline.monitoring.log.time_periods import read_period_tallies
from pipeline.state import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.monitoring.drift.detection import DriftContext
    from pipeline.monitoring.drift.drift_report import DriftFinding
    from pipeline.monitoring.log.bin_counts import BinCounts
    from pipeline.monitoring.log.log_window import PredictionLog
    from pipeline.package import Package

__all__ = ["DriftLine", "DriftPoint", "drift_lines"]


@dataclass(frozen=True, slots=True)
class DriftPoint:
    """The finding about one column in the period [since, until), in microseconds since 1970."""

    since: int
    until: int
    n_rows: int
    finding: DriftFinding

    @property
    def ratio(self) -> float | None:
        """Drift as a multiple of its limit; None with too few rows."""
        if self.finding.value is None or not self.finding.threshold:
            return None
        return self.finding.value / self.finding.threshold

    @property
    def is_beyond(self) -> bool:
        """Whether the column drifts: beyond its limit, and significant."""
        return self.finding.verdict == "drift"


@dataclass(frozen=True, slots=True)
class DriftLine:
    """The drift of one column over time, in the order of time.

    `onset` is the start of the last run of periods with drift to the hour, where periods are longer than an hour.
    """

    column: str
    kind: Literal["feature", "prediction"]
    points: tuple[DriftPoint, ...]
    onset: int | None = None

    @property
    def last_run(self) -> tuple[DriftPoint, ...]:
        """The unbroken run of periods with drift that lasts until the newest period."""
        return tuple(itertools.takewhile(lambda point: point.is_beyond, reversed(self.points)))[::-1]

    @property
    def beyond_since(self) -> int | None:
        """Start of the last run, as exact as roll-ups have it; None without one."""
        if self.onset is not None:
            return self.onset
        run = self.last_run
        return run[0].since if run else None

    @property
    def is_beyond_throughout(self) -> bool:
        """Whether the column drifts in each period, so that the drift may be older than the range."""
        return bool(self.points) and all(point.is_beyond for point in self.points)


def drift_lines(
    log: PredictionLog,
    package: Package,
    context: DriftContext,
    *,
    since: int,
    until: int,
    columns: Collection[str] | None = None,
    baseline: BinCounts | None = None,
) -> tuple[DriftLine, ...]:
    """Return the drift of each column over time.

    Periods are whole hours or days that overlap [since, until), merged until each has `context.min_rows` rows. The
    start of a last run of periods with drift is searched again in single hours.

    Parameters
    ----------
    log : PredictionLog
        With roll-ups up to date.
    package : Package
        The package whose predictions are compared.
    context : DriftContext
    since, until : int
        In microseconds since 1970.
    columns : collection of str, optional
        All columns when None.
    baseline : BinCounts, optional
        What each period is compared with; the training rows when None.

    Returns
    -------
    tuple of DriftLine
        In the order of the package's reference, outputs of the model last.
    """
    lines = _lines(log, package, context, (since, until), columns=columns, baseline=baseline)
    spans = {line.column: _onset_span(line) for line in lines}
    onsets: dict[str, int | None] = {}
    for span in {span for span in spans.values() if span is not None}:
        drifting = {column for column, each in spans.items() if each == span}
        hourly = _lines(log, package, context, span, columns=drifting, baseline=baseline, length=HOUR_US)
        onsets |= {line.column: line.beyond_since for line in hourly}
    return tuple(replace(line, onset=onsets.get(line.column)) for line in lines)


def _onset_span(line: DriftLine) -> tuple[int, int] | None:
    """Return the range in which a last run begins: its first period and the one before; None if hours are known."""
    run = line.last_run
    if not run or run[0].until - run[0].since <= HOUR_US:
        return None
    position = line.points.index(run[0])
    return line.points[max(position - 1, 0)].since, run[0].until


def _lines(
    log: PredictionLog,
    package: Package,
    context: DriftContext,
    span: tuple[int, int],
    *,
    columns: Collection[str] | None,
    baseline: BinCounts | None,
    length: int | None = None,
) -> tuple[DriftLine, ...]:
    """Return the drift of each column in a range, in periods of buckets of a length."""
    layout = RollupLayout(package)
    reference = loggable_reference(package)
    if columns is not None:
        chosen, measures = (
            tuple(bins for bins in every if bins.name in columns) for every in (reference.columns, reference.measures)
        )
        reference = replace(reference, columns=chosen, measures=measures)
    features, predictions = (
        read_period_tallies(log, package.digest, section, since=span[0], until=span[1], length=length)
        for section in (FEATURES, PREDICTIONS)
    )
    points: dict[tuple[Literal["feature", "prediction"], str], list[DriftPoint]] = {}
    for period in predictions.merge(context.min_rows):
        counts = layout.bin_counts(
            features.sum_period(period, layout.empty_tally(FEATURES)),
            predictions.sum_period(period, layout.empty_tally(PREDICTIONS)),
        )
        for finding in detect_drift(reference, counts, context, baseline=baseline).findings:
            point = DriftPoint(period.since, period.until, counts.n_rows, finding)
            points.setdefault((finding.kind, finding.column), []).append(point)
    order = {bins.name: position for position, bins in enumerate(reference.monitored)}
    return tuple(
        DriftLine(column, kind, tuple(line))
        for (kind, column), line in sorted(points.items(), key=lambda item: _line_order(item[0], order))
        if columns is None or column in columns
    )


def _line_order(key: tuple[str, str], order: Mapping[str, int]) -> tuple[bool, int, str]:
    kind, column = key
    return kind == "prediction", order.get(column, len(order)), column
