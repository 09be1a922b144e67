"""Describe what happened lately in sentences: decisions of the audit trail and incidents, each with its page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.state import AuditEntry, Incident

__all__ = ["Activity", "recent_activities"]

_MAX_LENGTH = 200
_ACTION_WORDS = {
    "register": "registered",
    "promote": "promoted",
    "force": "promoted",
    "rollback": "rolled back to",
    "acknowledge alert": "acknowledged",
    "resolve alert": "resolved",
    "silence alerts": "silenced incidents",
    "end silence": "ended a silence",
    "open trial": "opened a trial of",
}
_STAGE_ACTIONS = ("promote", "force")


@dataclass(frozen=True, slots=True)
class Activity:
    """One event at a moment (microseconds since 1970, UTC), and the page of the thing that it is about."""

    at: int
    text: str
    link_label: str = ""
    page: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


def recent_activities(entries: Iterable[AuditEntry], incidents: Iterable[Incident], *, limit: int) -> list[Activity]:
    """Return the newest events, newest first."""
    events = [_from_entry(entry) for entry in entries]
    for incident in incidents:
        events += _from_incident(incident)
    return sorted(events, key=lambda event: -event.at)[:limit]


def _from_entry(entry: AuditEntry) -> Activity:
    """Return a decision: actor, action, subject, stage and reason."""
    words = _ACTION_WORDS.get(entry.action, entry.action)
    incident = entry.after.get("incident")
    subject = f" version {entry.version}" if entry.version is not None else ""
    if incident is not None:
        subject = f" incident {incident}"
    stages = [
        stage
        for stage, deployed in entry.after.items()
        if isinstance(deployed, dict) and deployed.get("version") == entry.version
    ]
    stage = f" to {stages[0]}" if subject and stages and entry.action in _STAGE_ACTIONS else ""
    override = ", overriding failed gates" if entry.action == "force" else ""
    reason = f": {entry.reason}" if entry.reason else ""
    text = shorten(f"{entry.actor} {words}{subject}{stage}{override}{reason}", _MAX_LENGTH)
    if incident is not None:
        return Activity(entry.recorded_at, text, f"Incident {incident}", "incidents", {"incident": incident})
    if entry.version is not None:
        return Activity(entry.recorded_at, text, f"Version {entry.version}", "models", {"version": entry.version})
    return Activity(entry.recorded_at, text)


def _from_incident(incident: Incident) -> list[Activity]:
    link = (f"Incident {incident.seq}", "incidents", {"incident": incident.seq})
    title = shorten(incident.title, _MAX_LENGTH)
    events = [Activity(incident.opened_at, f"Incident {incident.seq} opened, {incident.severity}: {title}", *link)]
    # A person's decision is in the audit trail.
    if incident.resolved_at is not None and incident.resolved_by == "monitor":
        text = f"Incident {incident.seq} was resolved by the monitor"
        events.append(Activity(incident.resolved_at, text, *link))
    return events
