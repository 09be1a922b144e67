"""Order what happened around an incident: its changes, actions of people, deployments, trials and retrains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.registry.deployment_history import production_changes
from pipeline.state import MONITOR_ACTOR
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.state import AuditEntry, Delivery, Incident

__all__ = ["IncidentRecords", "TimelineEvent", "incident_timeline"]

EventKind = Literal["incident", "action", "notification", "deployment", "trial", "retrain"]
_CHANGES = {
    "opened": "Incident opened",
    "escalated": "Escalated to {severity}",
    "changed": "Severity or cause changed",
    "reopened": "Opened again",
    "resolved": "Resolved: no rule fires",
}
_ACTIONS = {
    "acknowledge alert": "Acknowledged",
    "resolve alert": "Resolved",
    "silence alerts": "Silenced",
    "end silence": "Silence ended",
}


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """Something that happened at a moment, in microseconds since 1970, UTC.

    Attributes
    ----------
    kind : EventKind
    text : str
        One clause, such as `Version 2 is in Production instead of version 1`.
    actor, reason : str
        Who did it and why; empty when unknown.
    version : int or None
        The version that it is about.
    mark : str
        Short label of a change of what serves requests, for charts; empty for other events.
    until : int or None
        When a silence ends.
    """

    at: int
    kind: EventKind
    text: str
    actor: str = ""
    reason: str = ""
    version: int | None = None
    mark: str = ""
    until: int | None = None


@dataclass(frozen=True, slots=True)
class IncidentRecords:
    """What the state database has about the time of an incident, in any order."""

    incident: Incident
    audit_entries: Sequence[AuditEntry] = ()
    deliveries: Sequence[Delivery] = ()


def incident_timeline(records: IncidentRecords, *, since: int, until: int) -> tuple[TimelineEvent, ...]:
    """Return what happened from `since` to `until`, oldest first."""
    events = [
        *_changes(records.incident),
        *_actions(records.incident, records.audit_entries),
        *_notifications(records.deliveries),
        *_deployment_events(records.audit_entries),
        *_loop_events(records.audit_entries),
    ]
    return tuple(sorted((event for event in events if since <= event.at <= until), key=lambda event: event.at))


def _deployment_events(entries: Sequence[AuditEntry]) -> Iterator[TimelineEvent]:
    for change in production_changes(entries):
        entry, after = change.entry, change.version
        before = entry.before.get("Production", {}).get("version")
        if after is None:
            text = f"Version {before} left Production"
        else:
            text = f"Version {after} in Production" + ("" if before is None else f" instead of version {before}")
        forced = ", overriding failed gates" if entry.action == "force" else ""
        yield TimelineEvent(
            change.at,
            "deployment",
            f"{text}{forced}",
            entry.actor,
            entry.reason,
            version=after,
            mark="no version" if after is None else f"version {after}",
        )


def _changes(incident: Incident) -> Iterator[TimelineEvent]:
    history = incident.details.get("history", [])
    if not history or history[0]["event"] != "opened":
        history = [{"at": incident.opened_at, "event": "opened", "title": ""}, *history]
    for entry in history:
        text = _CHANGES[entry["event"]].format(severity=entry.get("severity", ""))
        reason = "" if entry["event"] == "resolved" else entry["title"]
        yield TimelineEvent(entry["at"], "incident", text, MONITOR_ACTOR, reason)


def _actions(incident: Incident, entries: Iterable[AuditEntry]) -> Iterator[TimelineEvent]:
    for entry in entries:
        if entry.action in _ACTIONS and _is_about(incident, entry.after):
            until = entry.after.get("until") if entry.action == "silence alerts" else None
            yield TimelineEvent(
                entry.recorded_at, "action", _ACTIONS[entry.action], entry.actor, entry.reason, until=until
            )


def _is_about(incident: Incident, values: dict[str, Any]) -> bool:
    """Whether values of an audit entry name the incident, or a silence that covers its group."""
    if "incident" in values:
        return bool(values["incident"] == incident.seq)
    return values.get("group_name") in (None, incident.group_name)


def _notifications(deliveries: Iterable[Delivery]) -> Iterator[TimelineEvent]:
    by_event: dict[tuple[int, str], list[Delivery]] = {}
    for delivery in deliveries:
        by_event.setdefault((delivery.created_at, str(delivery.payload["event"])), []).append(delivery)
    for (at, event), group in by_event.items():
        sent = sorted(delivery.receiver for delivery in group if delivery.done_at is not None)
        failed = [delivery for delivery in group if delivery.done_at is None]
        parts = [f"sent to {', '.join(sent)}"] if sent else []
        if failed:
            waiting = ", ".join(sorted(delivery.receiver for delivery in failed))
            parts.append(f"not delivered to {waiting} after {pluralize(failed[0].attempts, 'attempt')}")
        reason = next((delivery.error for delivery in failed if delivery.error), "")
        yield TimelineEvent(at, "notification", f"Notification ({event}) {'; '.join(parts)}", reason=reason or "")


def _loop_events(entries: Iterable[AuditEntry]) -> Iterator[TimelineEvent]:
    """Yield each step of a trial and of a retrain; the audit trail has them with who decided and why."""
    for entry in entries:
        trial, retrain = entry.evidence.get("trial"), entry.evidence.get("retrain")
        if trial is not None:
            versions = f"version {trial['challenger']} against version {trial['champion']}"
            share = f", {trial['share']:.0%} of the requests" if trial["share"] else ""
            text = f"Trial {trial['seq']} ({versions}): {trial['state']}{share}"
            mark = f"version {trial['challenger']}, {trial['share']:.0%}" if trial["share"] else ""
            yield TimelineEvent(
                entry.recorded_at, "trial", text, entry.actor, entry.reason, version=trial["challenger"], mark=mark
            )
        elif retrain is not None:
            text = f"Retrain {retrain['seq']} ({retrain['cause']}): {retrain['state'].replace('_', ' ')}"
            yield TimelineEvent(
                entry.recorded_at, "retrain", text, entry.actor, entry.reason, version=retrain.get("version")
            )
