"""Read what the monitor says of the live rows, through pipeline, kept for some seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import access
from pipeline import alerts
from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.monitoring import (
    ModelMonitor,
    answers_by_hour,
    compare_windows,
    drift_by_time,
    outcomes_by_hour,
    roll_up,
)

if TYPE_CHECKING:
    from pipeline.monitoring import HourOfAnswers, HourOfOutcomes, SlotFinding
    from pipeline.package import Package
    from pipeline.state import Incident, Silence

__all__ = ["HOUR_US", "Drift", "Glance", "Hours", "by_hour", "drift", "glance", "incidents", "monitoring", "silences"]

HOUR_US = 3_600_000_000
_MAX_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class Hours:
    """What was answered in each hour that has an answer, and what came true of it."""

    answers: tuple[HourOfAnswers, ...]
    outcomes: tuple[HourOfOutcomes, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """How far each column moved in a window, as plain values, and the same slot by slot."""

    report: dict[str, Any]
    slots: list[SlotFinding]


@dataclass(frozen=True, slots=True)
class Glance:
    """How the last hours of one version compare, as plain values: columns with `monitoring.baseline`, figures with its training."""

    drift: dict[str, Any]
    degradation: dict[str, Any]


def by_hour(model: str, hours: int, *, digest: str | None = None) -> Hours:
    """Return the answers and outcomes of the last hours, of one package or of all, hour by hour."""
    if not access.has_state():
        return Hours((), ())
    return _by_hour(str(access.root()), os.environ.get(store.URL_ENV), model, hours, digest)


@access.kept(5, said=False)
def _by_hour(folder: str, url: str | None, model: str, hours: int, digest: str | None) -> Hours:  # noqa: ARG001 - another database is another entry
    opened = access.state()
    roll_up(opened, model, _package_or_none)
    until = opened.clock() + 1
    asked: dict[str, Any] = {"since": until - hours * HOUR_US, "until": until, "digest": digest}
    return Hours(
        answers_by_hour(opened, model, _package_or_none, **asked),
        outcomes_by_hour(opened, model, _package_or_none, **asked),
    )


def _package_or_none(digest: str) -> Package | None:
    try:
        return access.package_of(digest)
    except MlopsError:
        return None


def monitoring(model: str, version: int, hours: int) -> dict[str, Any]:
    """Return the traffic and the performance of one version in the last hours, as the monitor judges them."""
    return _watched(str(access.root()), os.environ.get(store.URL_ENV), model, version, hours)


@access.kept(10, said="Looking at the log ...")
def _watched(folder: str, url: str | None, model: str, version: int, hours: int) -> dict[str, Any]:  # noqa: ARG001 - another database is another entry
    monitor = ModelMonitor(model, Path(folder), version=version)
    return {
        "dashboard": monitor.get_monitoring_dashboard_data(hours),
        "performance": monitor.calculate_performance_metrics(hours),
        "degradation": monitor.detect_performance_degradation(window_hours=hours),
    }


def glance(model: str, version: int, hours: int) -> Glance:
    """Return how far the columns of the last hours moved, and how much worse the figures of one version got."""
    return _glanced(str(access.root()), os.environ.get(store.URL_ENV), model, version, hours)


@access.kept(30, said=False)
def _glanced(folder: str, url: str | None, model: str, version: int, hours: int) -> Glance:  # noqa: ARG001 - another database is another entry
    monitor = ModelMonitor(model, Path(folder), version=version)
    return Glance(
        monitor.detect_data_drift(window_hours=hours), monitor.detect_performance_degradation(window_hours=hours)
    )


def drift(model: str, digest: str, hours: int, *, slot_hours: int, is_to_before: bool) -> Drift:
    """Return how far the rows of the last hours moved that one package answered, and how it came slot by slot.

    `is_to_before` compares with as many hours before instead of the training rows.
    """
    return _drifted(str(access.root()), os.environ.get(store.URL_ENV), (model, digest), hours, slot_hours, is_to_before)


@access.kept(10, said="Comparing the windows ...")
def _drifted(
    folder: str,
    url: str | None,  # noqa: ARG001 - another database is another entry
    which: tuple[str, str],
    hours: int,
    slot_hours: int,
    is_to_before: bool,  # noqa: FBT001 - a key of the cache
) -> Drift:
    opened, package, settings = access.state(), access.package_of(which[1]), access.config()
    roll_up(opened, which[0], _package_or_none)
    until = opened.clock() + 1
    since = until - hours * HOUR_US
    before = (2 * since - until, since) if is_to_before else None
    found = compare_windows(opened, package, settings, root=Path(folder), window=(since, until), before=before)
    columns = {one.column for one in found.findings[:_MAX_COLUMNS]}
    n_slots = max(hours, 24) // slot_hours
    slots = drift_by_time(
        opened, package, settings, until=until, slot_hours=slot_hours, n_slots=n_slots, columns=columns
    )
    return Drift(found.as_dict(), slots)


def incidents(model: str) -> list[Incident]:
    """Return the incidents of a model that are not resolved, newest first."""
    return alerts.list_incidents(access.state(), model) if access.has_state() else []


def silences(model: str) -> list[Silence]:
    """Return the silences that hold now."""
    return alerts.holding_silences(access.state(), model) if access.has_state() else []
