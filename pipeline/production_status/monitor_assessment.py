"""Assess the monitor and its alerts: zero alerts are good news only if the monitor ran lately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.production_status.component_status import ComponentStatus
from pipeline.text import format_age, format_duration, pluralize, shorten, timestamp

if TYPE_CHECKING:
    from datetime import tzinfo

    from pipeline.production_status.state_facts import ModelFacts

__all__ = ["assess_alerts", "assess_monitor"]

_RUN_MONITOR = "run `python -m stages.monitor`, or schedule it"
# A run takes some time, and its moment is that of its end.
_GRACE_SHARE = 0.1
_GRACE_US = 60_000_000


def assess_monitor(known: ModelFacts | None, now: int, period_us: int, *, zone: tzinfo) -> ComponentStatus:
    """Return whether the monitor ran within its period."""
    if known is None:
        return ComponentStatus("monitor", "unknown", "unknown", "unknown", "The state database cannot be read")
    run = known.monitor_run
    if run is None:
        return ComponentStatus("monitor", "unknown", "never_ran", "never ran", "The monitor never ran", _RUN_MONITOR)
    last = f"last run {timestamp(run.recorded_at, zone)}, {format_age(run.recorded_at, now)}"
    if run.recorded_at > now + _GRACE_US:
        sentence = f"The {last}, is later than now: the clock was ahead, or is behind"
        return ComponentStatus("monitor", "unknown", "clock", "unknown", sentence, "correct the clock of this machine")
    if _is_late(run.recorded_at, now, period_us):
        sentence = f"Late: {last}, expected every {format_duration(period_us)}"
        return ComponentStatus("monitor", "degraded", "late", "late", sentence, _RUN_MONITOR)
    sentence = f"{last[0].upper()}{last[1:]}"
    return ComponentStatus("monitor", "healthy", "on_time", "on time", sentence)


def assess_alerts(known: ModelFacts | None, now: int, period_us: int) -> ComponentStatus:
    """Return the open alerts; only a timely run about the version in Production shows that there are none."""
    if known is None:
        return ComponentStatus("alerts", "unknown", "unknown", "unknown", "The state database cannot be read")
    if known.incidents:
        newest = known.incidents[0]
        n_critical = sum(incident.severity == "critical" for incident in known.incidents)
        critical = f", {n_critical} critical" if n_critical else ""
        sentence = f"{pluralize(len(known.incidents), 'open alert')}{critical}, newest: {shorten(newest.title, 160)}"
        next_step = f"run `mlops alerts list`, then `mlops alerts ack {newest.seq}`"
        return ComponentStatus("alerts", "degraded", "open", str(len(known.incidents)), sentence, next_step)
    doubt = _doubt_about_no_alerts(known, now, period_us)
    if doubt is not None:
        return ComponentStatus("alerts", "unknown", "unknown", "unknown", doubt, _RUN_MONITOR)
    return ComponentStatus("alerts", "healthy", "none", "0", "No open alerts")


def _doubt_about_no_alerts(known: ModelFacts, now: int, period_us: int) -> str | None:
    run, production = known.monitor_run, known.production
    if run is None:
        return "Unknown until the monitor runs"
    if run.recorded_at > now + _GRACE_US or _is_late(run.recorded_at, now, period_us):
        return "None at the last run of the monitor, which is late"
    if production is not None and run.version != production.version:
        about = "no version" if run.version is None else f"version {run.version}"
        return f"The last run of the monitor was about {about}; version {production.version} was not monitored yet"
    return None


def _is_late(recorded_at: int, now: int, period_us: int) -> bool:
    return now - recorded_at > period_us * (1 + _GRACE_SHARE) + _GRACE_US
