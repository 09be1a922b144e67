"""Assess the monitor and its incidents: zero incidents are healthy only after a recent run of the monitor."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.production_status.component_status import ComponentStatus
from pipeline.production_status.state_facts import N_MONITOR_RUNS
from pipeline.project.engine_files import stage_command
from pipeline.text import format_age, format_duration, pluralize, shorten, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from pipeline.production_status.component_status import ComponentName, SinceSource
    from pipeline.production_status.state_facts import ModelFacts
    from pipeline.state import Incident

__all__ = ["assess_incidents", "assess_monitor", "incident_clause"]

_RUN_MONITOR = f"run `{stage_command('monitor')}`, or schedule it"
# A run takes some time, and its moment is that of its end.
_GRACE_SHARE = 0.1
_GRACE_US = 60_000_000
_MAX_CLAUSE_LENGTH = 120
_SEVERITIES = ("info", "warning", "critical")


def assess_monitor(known: ModelFacts | None, now: int, period_us: int, *, zone: tzinfo) -> ComponentStatus:
    """Return whether the monitor ran within its period, and since when each run followed the one before in time."""
    if known is None:
        return _unreadable("monitor", "monitor unknown")
    run = known.monitor_run
    if run is None:
        return ComponentStatus(
            "monitor", "unknown", "never_ran", "never ran", "The monitor never ran", _RUN_MONITOR, "monitor never ran"
        )
    age = format_age(run.recorded_at, now)
    last = f"last run {timestamp(run.recorded_at, zone)}, {age}"
    if run.recorded_at > now + _GRACE_US:
        sentence = f"The {last}, is later than now: the clock was ahead, or is behind"
        next_step = "correct the clock of this machine"
        return ComponentStatus("monitor", "unknown", "clock", "unknown", sentence, next_step, "monitor unknown")
    if _is_late(run.recorded_at, now, period_us):
        sentence = f"Late: {last}, expected every {format_duration(period_us)}"
        late = ComponentStatus("monitor", "degraded", "late", "late", sentence, _RUN_MONITOR, f"monitor late ({age})")
        return late.known_since(run.recorded_at + period_us)
    sentence = f"{last[0].upper()}{last[1:]}"
    status = ComponentStatus("monitor", "healthy", "on_time", "on time", sentence, clause=f"monitor {age}")
    return status.known_since(*_series_start(known.monitor_moments, period_us))


def assess_incidents(known: ModelFacts | None, now: int, period_us: int) -> ComponentStatus:
    """Return the open incidents; only a timely run about the version in Production shows that there are none."""
    if known is None:
        return _unreadable("incidents", "")
    if known.incidents:
        return _assess_open(known.incidents)
    doubt = _doubt_about_no_incident(known, now, period_us)
    if doubt is not None:
        # The monitor is named beside it.
        clause = "" if known.monitor_run is None else "open incidents unknown"
        return ComponentStatus("incidents", "unknown", "unknown", "unknown", doubt, _RUN_MONITOR, clause)
    healthy = ComponentStatus("incidents", "healthy", "none", "0", "No open incidents", clause="no open incidents")
    start, source = _series_start(known.monitor_moments, period_us)
    if known.incident_resolved_at is not None and known.incident_resolved_at >= (start or 0):
        return healthy.known_since(known.incident_resolved_at)
    return healthy.known_since(start, source)


def incident_clause(incident: Incident) -> str:
    """Return an incident as a part of a sentence: its worst metric and likely cause, or its title.

    Examples
    --------
    >>> from pipeline.state import Incident
    >>> log_loss = {"label": "Log loss", "baseline": 0.127, "value": 0.235}
    >>> details = {"metrics": [log_loss], "causes": [{"label": "Time spent alone"}]}
    >>> incident_clause(Incident("quality", "m", ("drift",), "critical", "Worse", "", details, 0, 0))
    'log loss +85%, likely cause Time spent alone'
    """
    metrics, causes = incident.details.get("metrics") or [], incident.details.get("causes") or []
    if not metrics or not metrics[0]["baseline"]:
        return _in_sentence(shorten(incident.title.removeprefix(f"{incident.model}: "), _MAX_CLAUSE_LENGTH))
    worst = metrics[0]
    change = (worst["value"] - worst["baseline"]) / abs(worst["baseline"])
    others = f" and {pluralize(len(metrics) - 1, 'more metric')}" if len(metrics) > 1 else ""
    cause = f", likely cause {causes[0]['label']}" if causes else ""
    return _in_sentence(f"{worst['label']} {change:+.0%}{others}{cause}")


def _in_sentence(text: str) -> str:
    """Return a title with a small first letter, unless it begins with an acronym."""
    return text if text[1:2].isupper() else f"{text[:1].lower()}{text[1:]}"


def _start_of(incident: Incident) -> int:
    """Return since when a cause drifts, otherwise a metric is degraded, or the opening if that is earlier or all."""
    since = incident.details.get("since")
    return incident.opened_at if since is None else min(int(since), incident.opened_at)


def _assess_open(incidents: Sequence[Incident]) -> ComponentStatus:
    newest = incidents[0]
    worst = max(incidents, key=lambda incident: (_SEVERITIES.index(incident.severity), incident.seq))
    n_critical = sum(incident.severity == "critical" for incident in incidents)
    critical = f", {n_critical} critical" if n_critical else ""
    sentence = f"{pluralize(len(incidents), 'open incident')}{critical}, newest: {shorten(newest.title, 160)}"
    more = f" and {pluralize(len(incidents) - 1, 'more incident')}" if len(incidents) > 1 else ""
    return ComponentStatus(
        "incidents",
        "degraded",
        "open",
        str(len(incidents)),
        sentence,
        f"run `mlops alerts show {worst.seq}`, then `mlops alerts ack {worst.seq}`",
        f"{incident_clause(worst)}{more}",
    ).known_since(min(_start_of(incident) for incident in incidents))


def _unreadable(name: ComponentName, clause: str) -> ComponentStatus:
    return ComponentStatus(name, "unknown", "unknown", "unknown", "The state database cannot be read", clause=clause)


def _series_start(moments: Sequence[int], period_us: int) -> tuple[int | None, SinceSource]:
    """Return the first run of the unbroken series that ends with the newest one; moments are newest first.

    A series that fills all moments may have begun before.
    """
    for later, earlier in pairwise(moments):
        if _is_late(earlier, later, period_us):
            return later, "recorded"
    return (moments[-1] if moments else None), "observed" if len(moments) >= N_MONITOR_RUNS else "recorded"


def _doubt_about_no_incident(known: ModelFacts, now: int, period_us: int) -> str | None:
    run, production = known.monitor_run, known.production
    if run is None:
        return "Unknown until the monitor runs"
    if run.recorded_at > now + _GRACE_US:
        return "None at the last run of the monitor, which is later than now"
    if _is_late(run.recorded_at, now, period_us):
        return "None at the last run of the monitor, which is late"
    if production is not None and run.version != production.version:
        about = "no version" if run.version is None else f"version {run.version}"
        return f"The last run of the monitor was about {about}; version {production.version} was not monitored yet"
    if run.severity is not None and (known.incident_resolved_at or 0) > run.recorded_at:
        return "The last incident was resolved after the last run of the monitor, which found a problem"
    return None


def _is_late(recorded_at: int, now: int, period_us: int) -> bool:
    return now - recorded_at > period_us * (1 + _GRACE_SHARE) + _GRACE_US
