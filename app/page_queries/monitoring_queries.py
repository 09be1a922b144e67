"""Query drift, performance, and traffic of live predictions, cached for some seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import state as store
from pipeline.monitoring import ModelMonitor, PredictionLog

from .. import queries
from .window_queries import HourlyActivity, activity_of

__all__ = [
    "HOUR_US",
    "HealthSummary",
    "health_summary",
    "hourly_activity",
    "predictions_by_version",
]

HOUR_US = 3_600_000_000


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
    log = PredictionLog(queries.state(), model, queries.find_package, sources=sources)
    log.roll_up()
    until = log.state.clock() + 1
    return activity_of(log, since=until - hours * HOUR_US, until=until)


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
