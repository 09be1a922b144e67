"""List, acknowledge, silence and resolve incidents; each action is one transaction with its audit entry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.alerts.notifications import enqueue_resolution
from pipeline.errors import NotAllowed, UsageError

if TYPE_CHECKING:
    from pipeline.state import Incident, Silence, State

__all__ = [
    "Actor",
    "acknowledge_incident",
    "active_silences",
    "create_silence",
    "expire_silence",
    "firing_findings",
    "list_incidents",
    "resolve_incident",
]

_OPERATOR_ROLES = {"operator", "admin"}
_US_PER_MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and with which roles; a user of the project's shell is an operator."""

    name: str
    roles: frozenset[str] = frozenset({"operator"})

    def require_operator(self, action: str) -> None:
        """Raise NotAllowed unless the roles allow to act on incidents."""
        if not self.roles & _OPERATOR_ROLES:
            raise NotAllowed(f"{self.name}: to {action} needs the role operator")


def list_incidents(
    state: State, model: str | None = None, *, include_resolved: bool = False, limit: int = 200
) -> list[Incident]:
    """Return incidents that are not resolved, newest first; `include_resolved` adds the resolved ones."""
    with state.reading() as connection:
        return store.read_incidents(connection, model, unresolved_only=not include_resolved, limit=limit)


def active_silences(state: State, model: str | None = None) -> list[Silence]:
    """Return the active silences."""
    with state.reading() as connection:
        return store.read_active_silences(connection, at=state.clock(), model=model)


def firing_findings(state: State, incident: Incident) -> tuple[str, ...]:
    """Return the findings of the rules of an incident that fired in the last run of the monitor."""
    with state.reading() as connection:
        run = store.last_monitor_run(connection, incident.model)
    if run is None:
        return ()
    rules = run.summary["rules"]
    return tuple(rule["summary"] for rule in rules if rule["is_firing"] and rule["rule"] in incident.rules)


def acknowledge_incident(state: State, number: int, *, actor: Actor, reason: str = "") -> Incident:
    """Acknowledge an incident: no further notifications until it escalates or resolves.

    Raises
    ------
    NotAllowed
        When the actor is no operator.
    UsageError
        When there is no such incident, or it is resolved.
    """
    actor.require_operator("acknowledge an incident")
    with state.writing() as connection:
        before = store.find_incident(connection, number)
        if before.status == "resolved":
            raise UsageError(f"incident {number} is already resolved and cannot be acknowledged")
        if before.status == "acknowledged":
            return before
        at = state.clock()
        after = replace(before, status="acknowledged", acknowledged_at=at, acknowledged_by=actor.name)
        store.update_incident(connection, after)
        _append_change(connection, store.AuditEvent(actor.name, "acknowledge alert", at, reason), before, after)
        return after


def resolve_incident(state: State, number: int, *, actor: Actor, reason: str = "") -> Incident:
    """Resolve an incident and notify its receivers; when its rules still fire, it opens again after the cooldown.

    Raises
    ------
    NotAllowed
        When the actor is no operator.
    UsageError
        When there is no such incident.
    """
    actor.require_operator("resolve an incident")
    with state.writing() as connection:
        before = store.find_incident(connection, number)
        if before.status == "resolved":
            return before
        at = state.clock()
        after = replace(before, status="resolved", resolved_at=at, resolved_by=actor.name)
        store.update_incident(connection, after)
        enqueue_resolution(connection, after, at=at)
        _append_change(connection, store.AuditEvent(actor.name, "resolve alert", at, reason), before, after)
        return after


def create_silence(
    state: State, model: str, *, minutes: float, actor: Actor, incident: str | None = None, reason: str = ""
) -> Silence:
    """Silence one group of incidents of a model, or all of them, for some minutes.

    Incidents are still stored and shown. Receivers are notified of those that are open when the silence ends.

    Raises
    ------
    NotAllowed
        When the actor is no operator.
    UsageError
        When the time is not between a minute and 90 days.
    """
    actor.require_operator("silence incidents")
    if not 1 <= minutes <= 90 * 24 * 60:
        raise UsageError(f"a silence of {minutes:g} minutes is not allowed; expected 1 minute to 90 days")
    with state.writing() as connection:
        at = state.clock()
        silence = store.Silence(model, incident, at, at + int(minutes * _US_PER_MINUTE), actor.name, reason)
        silence = replace(silence, seq=store.add_silence(connection, silence))
        event = store.AuditEvent(actor.name, "silence alerts", at, reason)
        store.append_audit_entry(connection, event, model=model, after=silence.as_dict())
        return silence


def expire_silence(state: State, number: int, *, actor: Actor, reason: str = "") -> Silence:
    """End a silence now.

    Raises
    ------
    NotAllowed
        When the actor is no operator.
    UsageError
        When there is no active silence of this number.
    """
    actor.require_operator("end a silence")
    with state.writing() as connection:
        at = state.clock()
        active = {silence.seq: silence for silence in store.read_active_silences(connection, at=at)}
        if number not in active:
            raise UsageError(f"silence {number} is not active; `mlops alerts list` shows the active ones")
        before, after = active[number], replace(active[number], until=at)
        store.end_silence(connection, number, at=at)
        event = store.AuditEvent(actor.name, "end silence", at, reason)
        store.append_audit_entry(connection, event, model=after.model, before=before.as_dict(), after=after.as_dict())
        return after


def _append_change(connection: Any, event: store.AuditEvent, before: Incident, after: Incident) -> None:
    old, new = (
        {"incident": incident.seq, "group": incident.group_name, "status": incident.status}
        for incident in (before, after)
    )
    store.append_audit_entry(connection, event, model=before.model, before=old, after=new)
