"""Read what the monitor says of the live rows, through pipeline, kept for some seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import queries
from pipeline import alerts
from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.monitoring import (
    ModelMonitor,
    drift_between_windows,
    drift_by_time,
    outcomes_by_hour,
    predictions_by_hour,
    roll_up,
)

if TYPE_CHECKING:
    from pipeline.monitoring import HourlyOutcomes, HourlyPredictions, IntervalDrift
    from pipeline.package import Package
    from pipeline.state import Incident, Silence

__all__ = [
    "HOUR_US",
    "DriftOverview",
    "HealthSummary",
    "HourlyActivity",
    "active_silences",
    "drift_overview",
    "health_summary",
    "hourly_activity",
    "monitoring_summary",
    "open_incidents",
]

HOUR_US = 3_600_000_000
_MAX_FEATURES = 40


@dataclass(frozen=True, slots=True)
class HourlyActivity:
    """What was answered in each hour that has an answer, and what came true of it."""

    predictions: tuple[HourlyPredictions, ...]
    outcomes: tuple[HourlyOutcomes, ...]


@dataclass(frozen=True, slots=True)
class DriftOverview:
    """How far each column moved in a window, as plain values, and the same slot by slot."""

    report: dict[str, Any]
    intervals: list[IntervalDrift]


@dataclass(frozen=True, slots=True)
class HealthSummary:
    """How the last hours of one version compare, as plain values: columns with `monitoring.baseline`, figures with its training."""

    drift: dict[str, Any]
    degradation: dict[str, Any]


def hourly_activity(model: str, hours: int, *, digest: str | None = None) -> HourlyActivity:
    """Return the answers and outcomes of the last hours, of one package or of all, hour by hour."""
    if not queries.has_state():
        return HourlyActivity((), ())
    return _cached_hourly_activity(str(queries.project_root()), os.environ.get(store.URL_ENV), model, hours, digest)


@queries.cached(5, spinner=False)
def _cached_hourly_activity(folder: str, url: str | None, model: str, hours: int, digest: str | None) -> HourlyActivity:  # noqa: ARG001 - another database is another entry
    opened = queries.state()
    roll_up(opened, model, _package_or_none)
    until = opened.clock() + 1
    asked: dict[str, Any] = {"since": until - hours * HOUR_US, "until": until, "digest": digest}
    return HourlyActivity(
        predictions_by_hour(opened, model, _package_or_none, **asked),
        outcomes_by_hour(opened, model, _package_or_none, **asked),
    )


def _package_or_none(digest: str) -> Package | None:
    try:
        return queries.load_package(digest)
    except MlopsError:
        return None


def monitoring_summary(model: str, version: int, hours: int) -> dict[str, Any]:
    """Return the traffic and the performance of one version in the last hours, as the monitor judges them."""
    return _cached_monitoring_summary(str(queries.project_root()), os.environ.get(store.URL_ENV), model, version, hours)


@queries.cached(10, spinner="Looking at the log ...")
def _cached_monitoring_summary(folder: str, url: str | None, model: str, version: int, hours: int) -> dict[str, Any]:  # noqa: ARG001 - another database is another entry
    monitor = ModelMonitor(model, Path(folder), version=version)
    return {
        "dashboard": monitor.get_monitoring_dashboard_data(hours),
        "performance": monitor.calculate_performance_metrics(hours),
        "degradation": monitor.detect_performance_degradation(window_hours=hours),
    }


def health_summary(model: str, version: int, hours: int) -> HealthSummary:
    """Return how far the columns of the last hours moved, and how much worse the figures of one version got."""
    return _cached_health_summary(str(queries.project_root()), os.environ.get(store.URL_ENV), model, version, hours)


@queries.cached(30, spinner=False)
def _cached_health_summary(folder: str, url: str | None, model: str, version: int, hours: int) -> HealthSummary:  # noqa: ARG001 - another database is another entry
    monitor = ModelMonitor(model, Path(folder), version=version)
    return HealthSummary(
        monitor.detect_data_drift(window_hours=hours), monitor.detect_performance_degradation(window_hours=hours)
    )


def drift_overview(
    model: str, digest: str, hours: int, *, interval_hours: int, against_previous_window: bool
) -> DriftOverview:
    """Return how far the rows of the last hours moved that one package answered, and how it came slot by slot.

    `is_to_before` compares with as many hours before instead of the training rows.
    """
    return _cached_drift_overview(
        str(queries.project_root()),
        os.environ.get(store.URL_ENV),
        (model, digest),
        hours,
        interval_hours,
        against_previous_window,
    )


@queries.cached(10, spinner="Comparing the windows ...")
def _cached_drift_overview(
    folder: str,
    url: str | None,  # noqa: ARG001 - another database is another entry
    model_and_digest: tuple[str, str],
    hours: int,
    interval_hours: int,
    against_previous_window: bool,  # noqa: FBT001 - a key of the cache
) -> DriftOverview:
    opened, package, settings = queries.state(), queries.load_package(model_and_digest[1]), queries.config()
    roll_up(opened, model_and_digest[0], _package_or_none)
    until = opened.clock() + 1
    since = until - hours * HOUR_US
    before = (2 * since - until, since) if against_previous_window else None
    found = drift_between_windows(
        opened, package, settings, root=Path(folder), window=(since, until), previous_window=before
    )
    columns = {one.column for one in found.findings[:_MAX_FEATURES]}
    n_slots = max(hours, 24) // interval_hours
    slots = drift_by_time(
        opened, package, settings, until=until, interval_hours=interval_hours, n_intervals=n_slots, columns=columns
    )
    return DriftOverview(found.as_dict(), slots)


def open_incidents(model: str) -> list[Incident]:
    """Return the incidents of a model that are not resolved, newest first."""
    return alerts.list_incidents(queries.state(), model) if queries.has_state() else []


def active_silences(model: str) -> list[Silence]:
    """Return the silences that hold now."""
    return alerts.active_silences(queries.state(), model) if queries.has_state() else []
