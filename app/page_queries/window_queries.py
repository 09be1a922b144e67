"""Query one window of live predictions: drift, performance and traffic, over the whole window and over time.

A result is cached until the roll-ups count new predictions or outcomes, which is looked up every ten seconds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline import state as store
from pipeline.monitoring import ModelMonitor, PredictionLog, outcomes_by_hour, predictions_by_hour
from pipeline.monitoring.log import window_by_time
from pipeline.registry.deployment_history import production_changes

from .. import queries

if TYPE_CHECKING:
    from pipeline.monitoring import DriftLine, HourlyOutcomes, HourlyPredictions, LogWindowView, MetricLine
    from pipeline.registry.deployment_history import ProductionChange

    Baseline = Literal["training", "previous_window"]

__all__ = [
    "DriftOverview",
    "HourlyActivity",
    "WindowKey",
    "WindowSummary",
    "activity_of",
    "deployment_changes",
    "slice_metric_lines",
    "version_metric_lines",
    "window_summary",
]

_MAX_FEATURES = 40
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class HourlyActivity:
    """Predictions and outcomes by hour; hours without any are left out."""

    predictions: tuple[HourlyPredictions, ...]
    outcomes: tuple[HourlyOutcomes, ...]


@dataclass(frozen=True, slots=True)
class DriftOverview:
    """The drift of each feature in a window, as plain values, and over time."""

    report: dict[str, Any]
    lines: tuple[DriftLine, ...]


@dataclass(frozen=True, slots=True)
class WindowKey:
    """A version and a range that one query covers.

    A range of a day or more has whole hours, so that it is read from roll-ups alone; a shorter one whole minutes.
    """

    model: str
    version: int
    since: int
    until: int

    @classmethod
    def of_range(cls, model: str, version: int, ends: tuple[int, int]) -> WindowKey:
        """Return the key of the predictions of a version between two moments, in microseconds since 1970."""
        since, until = ends
        step = store.HOUR_US if until - since >= store.DAY_US else _MINUTE_US
        return cls(model, version, since - since % step, -(-until // step) * step)

    def passed_share(self, now: int) -> float:
        """Return the share of the range that has passed."""
        return (min(now, self.until) - self.since) / (self.until - self.since)


@dataclass(frozen=True, slots=True)
class WindowSummary:
    """One window of one version; all parts cover the same rows.

    `previous_traffic` and `previous_outcomes` are those of the window of the same length before it.
    """

    traffic: dict[str, Any]
    performance: dict[str, Any]
    degradation: dict[str, Any]
    drift: DriftOverview
    metrics: tuple[MetricLine, ...]
    activity: HourlyActivity
    previous_traffic: dict[str, Any]
    previous_outcomes: tuple[HourlyOutcomes, ...]


def window_summary(key: WindowKey, *, baseline: Baseline) -> WindowSummary:
    """Return traffic, performance, degradation and drift of one window, all of the same rows."""
    return _cached_window_summary(*_place(), _progress(key.model), key, baseline)


def version_metric_lines(key: WindowKey, metric: str) -> dict[int, MetricLine]:
    """Return a metric over time of each version that made predictions in the window, the newest version first."""
    return _cached_version_lines(*_place(), _progress(key.model), key, metric)


def slice_metric_lines(key: WindowKey, metric: str, column: str) -> tuple[MetricLine, ...]:
    """Return a metric of classes over time for each slice of a column."""
    return _cached_slice_lines(*_place(), _progress(key.model), key, metric, column)


def deployment_changes(model: str, *, since: int, until: int) -> tuple[ProductionChange, ...]:
    """Return when another version went to Production, between two moments."""
    return tuple(change for change in production_changes(queries.audit_entries(model)) if since <= change.at < until)


def activity_of(log: PredictionLog, *, since: int, until: int, digest: str | None = None) -> HourlyActivity:
    """Return the predictions and outcomes by hour, of one package when `digest` is given."""
    return HourlyActivity(
        predictions_by_hour(log, since=since, until=until, digest=digest),
        outcomes_by_hour(log, since=since, until=until, digest=digest),
    )


def _place() -> tuple[str, str | None]:
    return str(queries.project_root()), os.environ.get(store.STATE_URL_ENV)


def _progress(model: str) -> tuple[int, int]:
    return _cached_progress(*_place(), model)


@queries.cached(10, spinner=False)
def _cached_progress(
    folder: str,  # noqa: ARG001 - a part of the cache key
    url: str | None,  # noqa: ARG001 - a part of the cache key
    model: str,
) -> tuple[int, int]:
    """Bring the roll-ups up to date, and return the numbers of the last rows that they count."""
    log = _log(model)
    log.roll_up()
    with log.state.reading() as connection:
        progress = store.read_rollup_progress(connection, model)
    return progress.last_prediction_seq, progress.last_outcome_seq


@queries.cached(3600, spinner="Evaluating the window ...")
def _cached_window_summary(
    folder: str,  # noqa: ARG001 - a part of the cache key
    url: str | None,  # noqa: ARG001 - a part of the cache key
    progress: tuple[int, int],  # noqa: ARG001 - a part of the cache key
    key: WindowKey,
    baseline: Baseline,
) -> WindowSummary:
    view = _view(key)
    length, digest = key.until - key.since, view.package.digest
    earlier = _view(WindowKey(key.model, key.version, key.since - length, key.since))
    drift = view.detect_drift(baseline=baseline)
    columns = {finding.column for finding in drift.findings[:_MAX_FEATURES]}
    return WindowSummary(
        traffic=view.traffic,
        performance=view.performance_values(),
        degradation=view.degradation_values(view.detect_degradation()),
        drift=DriftOverview(drift.as_dict(), view.drift_lines(baseline=baseline, columns=columns)),
        metrics=view.metric_lines(),
        activity=activity_of(view.log, since=key.since, until=key.until, digest=digest),
        previous_traffic=earlier.traffic,
        previous_outcomes=outcomes_by_hour(view.log, since=key.since - length, until=key.since, digest=digest),
    )


@queries.cached(3600, spinner=False)
def _cached_version_lines(
    folder: str,  # noqa: ARG001 - a part of the cache key
    url: str | None,  # noqa: ARG001 - a part of the cache key
    progress: tuple[int, int],  # noqa: ARG001 - a part of the cache key
    key: WindowKey,
    metric: str,
) -> dict[int, MetricLine]:
    versions = sorted(queries.versions(key.model), key=lambda version: -version.version)
    lines = {}
    for version in versions:
        if queries.find_package(version.digest) is None:
            continue
        (line,) = _view(WindowKey(key.model, version.version, key.since, key.until)).metric_lines([metric])
        if line.realized or line.estimated:
            lines[version.version] = line
    return lines


@queries.cached(3600, spinner=False)
def _cached_slice_lines(
    folder: str,  # noqa: ARG001 - a part of the cache key
    url: str | None,  # noqa: ARG001 - a part of the cache key
    progress: tuple[int, int],  # noqa: ARG001 - a part of the cache key
    key: WindowKey,
    metric: str,
    column: str,
) -> tuple[MetricLine, ...]:
    return _view(key).slice_lines(column, metric)


def _log(model: str) -> PredictionLog:
    return PredictionLog(queries.state(), model, queries.find_package, sources=queries.config().monitoring.sources)


def _view(key: WindowKey) -> LogWindowView:
    """Return the view of a window on the open database, with packages that are loaded once."""
    log = _log(key.model)
    digest = next(version.digest for version in queries.versions(key.model) if version.version == key.version)
    monitor = ModelMonitor(key.model, queries.project_root(), config=queries.config(), version=key.version)
    window = window_by_time(log, since=key.since, until=key.until)
    return monitor.view(log, queries.load_package(digest), window)
