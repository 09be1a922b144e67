"""Detect drift in consecutive intervals of whole hours, to show when a column changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.monitoring.drift.detection import detect_drift
from pipeline.monitoring.log.log_batch import loggable_reference
from pipeline.monitoring.log.log_window import WindowTallies, window_by_time
from pipeline.state import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pipeline.monitoring.drift.detection import DriftContext
    from pipeline.monitoring.log.log_window import PredictionLog
    from pipeline.package import Package

__all__ = ["IntervalDrift", "drift_by_interval"]


@dataclass(frozen=True, slots=True)
class IntervalDrift:
    """The verdict on one column in [since, until), in microseconds since 1970.

    `value` is in the unit of `threshold`. `missing_share` is the share of rows without the column, None when the
    column was not evaluated.
    """

    since: int
    until: int
    n_rows: int
    column: str
    verdict: str
    value: float | None
    threshold: float | None
    summary: str
    missing_share: float | None


def drift_by_interval(
    log: PredictionLog,
    package: Package,
    context: DriftContext,
    *,
    until: int,
    interval_hours: int,
    n_intervals: int,
    columns: Collection[str],
) -> Iterator[IntervalDrift]:
    """Yield the verdict against the training rows on each of `columns` in each interval that has rows.

    Parameters
    ----------
    log : PredictionLog
        With roll-ups up to date.
    package : Package
        The package whose predictions are compared.
    context : DriftContext
    until : int
        In microseconds since 1970; the last interval contains it.
    interval_hours, n_intervals : int
    columns : collection of str
    """
    full = loggable_reference(package)
    chosen, measures = (
        tuple(bins for bins in every if bins.name in columns) for every in (full.columns, full.measures)
    )
    reference = replace(full, columns=chosen, measures=measures)
    length = interval_hours * HOUR_US
    end = -(-until // length) * length
    for since in range(end - n_intervals * length, end, length):
        window = window_by_time(log, since=since, until=since + length)
        counts = WindowTallies(log, window).bin_counts(package)
        if not counts.n_rows:
            continue
        for finding in detect_drift(reference, counts, context).findings:
            yield IntervalDrift(
                since=since,
                until=since + length,
                n_rows=counts.n_rows,
                column=finding.column,
                verdict=finding.verdict,
                value=finding.value,
                threshold=finding.threshold,
                summary=finding.summary,
                missing_share=finding.statistics.get("missing_share_window"),
            )
