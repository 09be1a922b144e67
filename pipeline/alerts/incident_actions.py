"""See open incidents and act on them: acknowledge, silence, resolve. Each act is one transaction with its audit entry."""

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
    "list_incidents",
    "resolve_incident",
]

_OPERATOR_ROLES = {"operator", "admin"}
_US_PER_MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and with which roles; somebody at the project's own shell is its operator."""

    name: str
    roles: frozenset[str] = frozenset({"operator"})

    def require_operator(self, action: str) -> None:
        """Raise NotAllowed unless the roles allow to act on incidents."""
        if not self.roles & _OPERATOR_ROLES:
            raise NotAllowed(f"{self.name}: to {action} needs the role operator; ask one who has it")


def list_incidents(
    state: State, model: str | None = None, *, include_resolved: bool = False, limit: int = 200
) -> list[Incident]:
    """Return incidents that are not resolved, newest first; `resolved_too` adds those of the past."""
    with state.reading() as connection:
        return store.read_incidents(connection, model, unresolved_only=not include_resolved, limit=limit)


def active_silences(state: State, model: str | None = None) -> list[Silence]:
    """Return the silences that hold now."""
    with state.reading() as connection:
        return store.read_active_silences(connection, at=state.clock(), model=model)


def acknowledge_incident(state: State, number: int, *, actor: Actor, reason: str = "") -> Incident:
    """Say that somebody looks at an incident: receivers hear no more of it until it gets worse or ends.

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
            raise UsageError(f"incident {number} is resolved already; nothing is left to acknowledge")
        if before.status == "acknowledged":
            return before
        at = state.clock()
        after = replace(before, status="acknowledged", acknowledged_at=at, acknowledged_by=actor.name)
        store.update_incident(connection, after)
        _append_change(connection, store.AuditEvent(actor.name, "acknowledge alert", at, reason), before, after)
        return after


def resolve_incident(state: State, number: int, *, actor: Actor, reason: str = "") -> Incident:
    """End an incident, and tell so whoever was told of it; one that is still there opens again, and is told again after its cool-down.

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
    """Ask for quiet about one group of incidents of a model, or about all of them, for some minutes.

    Incidents are still kept and shown. What is still there when the silence ends is told then.

    Raises
    ------
    NotAllowed
        When the actor is no operator.
    UsageError
        When the time is not between a minute and 90 days.
    """
    actor.require_operator("silence incidents")
    if not 1 <= minutes <= 90 * 24 * 60:
        raise UsageError(f"a silence of {minutes:g} minutes: accepted are 1 minute to 90 days")
    with state.writing() as connection:
        at = state.clock()
        asked = store.Silence(model, incident, at, at + int(minutes * _US_PER_MINUTE), actor.name, reason)
        made = replace(asked, seq=store.add_silence(connection, asked))
        act = store.AuditEvent(actor.name, "silence alerts", at, reason)
        store.append_audit_entry(connection, act, model=model, after=made.as_dict())
        return made


def expire_silence(state: State, number: int, *, actor: Actor, reason: str = "") -> Silence:
    """End a silence now.

    Raises
    ------
    NotAllowed
        When the actor is no operator.
    UsageError
        When no such silence holds.
    """
    actor.require_operator("end a silence")
    with state.writing() as connection:
        at = state.clock()
        found = [one for one in store.read_active_silences(connection, at=at) if one.seq == number]
        if not found:
            raise UsageError(f"no silence that holds has the number {number}; `mlops alerts list` shows them")
        ended = replace(found[0], until=at)
        store.end_silence(connection, number, at=at)
        act = store.AuditEvent(actor.name, "end silence", at, reason)
        store.append_audit_entry(connection, act, model=ended.model, before=found[0].as_dict(), after=ended.as_dict())
        return ended


def _append_change(connection: Any, event: store.AuditEvent, before: Incident, after: Incident) -> None:
    told = [{"incident": one.seq, "group": one.group_name, "status": one.status} for one in (before, after)]
    store.append_audit_entry(connection, event, model=before.model, before=told[0], after=told[1])
