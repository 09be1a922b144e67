"""Query drift, performance, and traffic of live predictions, cached for some seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app import queries
from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.monitoring import ModelMonitor, PredictionLog, outcomes_by_hour, predictions_by_hour

if TYPE_CHECKING:
    from pipeline.monitoring import DriftLine, HourlyOutcomes, HourlyPredictions
    from pipeline.package import Package

    Baseline = Literal["training", "previous_window"]

__all__ = [
    "HOUR_US",
    "DriftOverview",
    "HealthSummary",
    "HourlyActivity",
    "WindowSummary",
    "health_summary",
    "hourly_activity",
    "predictions_by_version",
    "window_summary",
]

HOUR_US = 3_600_000_000
_MAX_FEATURES = 40


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
class WindowSummary:
    """One window of one version; all parts cover the same rows."""

    traffic: dict[str, Any]
    performance: dict[str, Any]
    degradation: dict[str, Any]
    drift: DriftOverview
    activity: HourlyActivity


@dataclass(frozen=True, slots=True)
class HealthSummary:
    """Drift against `monitoring.baseline` and degradation against training, as plain values, of one window."""

    drift: dict[str, Any]
    degradation: dict[str, Any]


def hourly_activity(model: str, hours: int) -> HourlyActivity:
    """Return the predictions and outcomes of the last hours, of all versions, hour by hour."""
    if not queries.has_state():
        return HourlyActivity((), ())
    return _cached_hourly_activity(str(queries.project_root()), os.environ.get(store.STATE_URL_ENV), model, hours)


@queries.cached(5, spinner=False)
def _cached_hourly_activity(
    folder: str,  # noqa: ARG001 - a part of the cache key
    url: str | None,  # noqa: ARG001 - a part of the cache key
    model: str,
    hours: int,
) -> HourlyActivity:
    sources = queries.config().monitoring.sources
    log = PredictionLog(queries.state(), model, _package_or_none, sources=sources)
    log.roll_up()
    until = log.state.clock() + 1
    return _activity_of(log, since=until - hours * HOUR_US, until=until)


def _activity_of(log: PredictionLog, *, since: int, until: int, digest: str | None = None) -> HourlyActivity:
    return HourlyActivity(
        predictions_by_hour(log, since=since, until=until, digest=digest),
        outcomes_by_hour(log, since=since, until=until, digest=digest),
    )


def _package_or_none(digest: str) -> Package | None:
    try:
        return queries.load_package(digest)
    except MlopsError:
        return None


def window_summary(model: str, version: int, hours: int, *, against_previous_window: bool) -> WindowSummary:
    """Return traffic, performance, degradation and drift of one version in the last hours, all of the same rows.

    `against_previous_window` compares with the same number of hours before, instead of the training data.
    """
    key = (str(queries.project_root()), os.environ.get(store.STATE_URL_ENV))
    baseline: Baseline = "previous_window" if against_previous_window else "training"
    return _cached_window_summary(key, model, version, hours, baseline)


@queries.cached(10, spinner="Evaluating the window ...")
def _cached_window_summary(
    key: tuple[str, str | None], model: str, version: int, hours: int, baseline: Baseline
) -> WindowSummary:
    monitor = ModelMonitor(model, Path(key[0]), config=queries.config(), version=version)
    with monitor.open_window(hours) as view:
        drift = view.detect_drift(baseline=baseline)
        lines = view.drift_lines(
            baseline=baseline, columns={finding.column for finding in drift.findings[:_MAX_FEATURES]}
        )
        window = view.window
        return WindowSummary(
            traffic=view.traffic,
            performance=view.performance_values(),
            degradation=view.degradation_values(view.detect_degradation()),
            drift=DriftOverview(drift.as_dict(), lines),
            activity=_activity_of(view.log, since=window.since, until=window.until, digest=view.package.digest),
        )


def health_summary(model: str, version: int, hours: int) -> HealthSummary:
    """Return drift and degradation of one version in the last hours."""
    return _cached_health_summary(
        str(queries.project_root()), os.environ.get(store.STATE_URL_ENV), model, version, hours
    )


@queries.cached(30, spinner=False)
def _cached_health_summary(
    folder: str,
    url: str | None,  # noqa: ARG001 - a part of the cache key
    model: str,
    version: int,
    hours: int,
) -> HealthSummary:
    monitor = ModelMonitor(model, Path(folder), config=queries.config(), version=version)
    with monitor.open_window(hours) as view:
        return HealthSummary(view.drift_values(view.drift), view.degradation_values(view.detect_degradation()))


def predictions_by_version(model: str, hours: int) -> dict[int, int]:
    """Return how many predictions each version made in the last hours, the newest version first; none is left out."""
    versions = {version.digest: version.version for version in queries.versions(model)}
    counts = dict.fromkeys(sorted(versions.values(), reverse=True), 0.0)
    for hour in hourly_activity(model, hours).predictions:
        for digest, n in hour.by_package.items():
            if digest in versions:
                counts[versions[digest]] += n
    return {number: round(n) for number, n in counts.items()}
