"""Update incidents from rule results: open, repeat, escalate, resolve; and enqueue notifications for receivers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.alerts.alert_rules import SEVERITIES
from pipeline.alerts.incident_message import compose_message, highest_severity
from pipeline.alerts.notifications import enqueue_notification, enqueue_resolution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.alerts.alert_rules import RuleResult
    from pipeline.alerts.incident_message import IncidentMessage
    from pipeline.config.groups.alerts_config import AlertsConfig
    from pipeline.schema import FeatureLabels
    from pipeline.state import Incident, Silence

__all__ = ["update_incidents"]

_US_PER_MINUTE = 60_000_000
_MAX_HISTORY = 50  # changes of one incident; the first and the newest are kept
_SUBJECT_KEYS = (("metrics", "metric"), ("causes", "column"))
# What an incident keeps when its rules fire again.
_UNCHANGED = (
    *("seq", "opened_at", "status", "notified_at"),
    *("acknowledged_at", "acknowledged_by", "resolved_at", "resolved_by"),
)


@dataclass(frozen=True, slots=True)
class _RunContext:
    """Values that stay the same while one run is stored."""

    connection: Any
    config: AlertsConfig
    silences: Sequence[Silence]
    run_at: int


def update_incidents(
    connection: Any,
    config: AlertsConfig,
    model: str,
    rule_results: Sequence[RuleResult],
    report: Mapping[str, Any],
    *,
    at: int,
    labels: FeatureLabels,
) -> tuple[Incident, ...]:
    """Store the results of the rules in the caller's transaction; return the incidents that changed.

    Receivers are notified when an incident opens, escalates, stays unacknowledged past the cooldown, and resolves.
    An incident under a silence is stored without a notification. Its resolution notifies whoever was notified before.
    """
    context = _RunContext(connection, config, store.read_active_silences(connection, at=at, model=model), at)
    incidents = []
    for group in dict.fromkeys(result.group for result in rule_results):
        members = [result for result in rule_results if result.group == group]
        firing = [result for result in members if result.is_firing]
        known = store.last_incident(connection, model, group)
        if firing:
            incidents.append(_open_or_update(context, known, members, compose_message(firing, report, labels), model))
        elif known is not None and known.status != "resolved" and _has_cleared(known, members):
            incidents.append(_resolve(context, known))
    return tuple(incidents)


def _unresolved_rules(known: Incident | None) -> tuple[str, ...]:
    """Return the rules of an incident that is not resolved."""
    return known.rules if known is not None and known.status != "resolved" else ()


def _has_cleared(known: Incident, members: Sequence[RuleResult]) -> bool:
    """Whether no rule of an incident fires now; a rule that cannot be evaluated leaves it open."""
    return all(result.is_firing is False for result in members if result.rule in known.rules)


def _open_or_update(
    context: _RunContext, known: Incident | None, members: Sequence[RuleResult], message: IncidentMessage, model: str
) -> Incident:
    severity, open_rules = (
        highest_severity([result for result in members if result.is_firing]),
        _unresolved_rules(known),
    )
    rules = sorted(
        result.rule
        for result in members
        if result.is_firing or (result.is_firing is None and result.rule in open_rules)
    )
    fresh = store.Incident(
        group_name=members[0].group,
        model=model,
        rules=tuple(rules),
        severity=severity,
        title=message.title,
        message=message.text,
        details=message.details,
        opened_at=context.run_at,
        last_seen_at=context.run_at,
    )
    if known is None or (known.status == "resolved" and not _in_cooldown(context, known)):
        opened = _record_change(replace(fresh, seq=store.add_incident(context.connection, fresh)), None, "opened")
        return _save_and_notify(context, opened, "opened")
    is_worse = SEVERITIES.index(severity) > SEVERITIES.index(known.severity)
    seen = replace(fresh, n_occurrences=known.n_occurrences + 1, **{name: getattr(known, name) for name in _UNCHANGED})
    change = "escalated" if is_worse else "changed"
    if known.status == "resolved":  # it fires again within its cooldown
        seen, change = replace(seen, status="open", resolved_at=None, resolved_by=None), "reopened"
    seen = _record_change(seen, known, change)
    if is_worse:
        return _save_and_notify(context, replace(seen, status="open"), "escalated")
    if seen.status == "open" and not _in_cooldown(context, known):
        return _save_and_notify(context, seen, "still open" if seen.notified_at is not None else "opened")
    store.update_incident(context.connection, seen)
    return seen


def _record_change(incident: Incident, known: Incident | None, event: str) -> Incident:
    """Return an incident with its history in the details: a change of severity, subject or status since `known`."""
    earlier = [] if known is None else known.details.get("history", [])
    is_same = known is not None and (known.severity, _subject(known)) == (incident.severity, _subject(incident))
    entry = {
        "at": incident.last_seen_at,
        "event": event,
        "severity": incident.severity,
        "title": incident.title,
    }
    history = list(earlier) if is_same and event == "changed" else [*earlier, entry]
    if len(history) > _MAX_HISTORY:
        history = [history[0], *history[-(_MAX_HISTORY - 1) :]]
    return replace(incident, details={**incident.details, "history": history})


def _subject(incident: Incident) -> tuple[str, ...]:
    """Return the worst metric and the likeliest cause; the rules of an incident without both."""
    worst = [item[0][name] for key, name in _SUBJECT_KEYS if (item := incident.details.get(key))]
    return tuple(worst) or incident.rules


def _in_cooldown(context: _RunContext, known: Incident) -> bool:
    """Whether the last notification is so recent that no other is sent; one of a clock that was ahead is not."""
    if known.notified_at is None:
        return False
    return 0 <= context.run_at - known.notified_at < context.config.cooldown_minutes * _US_PER_MINUTE


def _resolve(context: _RunContext, known: Incident) -> Incident:
    ended = replace(known, status="resolved", resolved_at=context.run_at, resolved_by=store.MONITOR_ACTOR)
    resolved = _record_change(replace(ended, last_seen_at=context.run_at), known, "resolved")
    resolved = replace(resolved, last_seen_at=known.last_seen_at)
    store.update_incident(context.connection, resolved)
    enqueue_resolution(context.connection, resolved, at=context.run_at)
    return resolved


def _save_and_notify(context: _RunContext, incident: Incident, event: str) -> Incident:
    """Store an incident with a message for each receiver; the delivery sends them later."""
    if any(silence.covers(incident.group_name, context.run_at) for silence in context.silences):
        store.update_incident(context.connection, incident)
        return incident
    notified = replace(incident, notified_at=context.run_at)
    store.update_incident(context.connection, notified)
    for name, receiver in context.config.receivers.items():
        if SEVERITIES.index(notified.severity) < SEVERITIES.index(receiver.min_severity):
            continue
        enqueue_notification(context.connection, notified, event, name, at=context.run_at)
    return notified
