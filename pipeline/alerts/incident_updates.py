"""Turn what rules say into incidents: opened, seen again, made worse, ended; and write what receivers are to be told."""

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
    from pipeline.state import Incident, Silence

__all__ = ["update_incidents"]

_US_PER_MINUTE = 60_000_000
_MONITOR_ACTOR = "monitor"


@dataclass(frozen=True, slots=True)
class _RunContext:
    """What stays the same while one run is written down."""

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
) -> tuple[Incident, ...]:
    """Write down what the rules say in the caller's transaction; return the incidents that it touched.

    An incident is told when it opens, when it gets worse, when it still stands after the cool-down and nobody
    acknowledged it, and when it ends. One that a silence covers is kept and not told, but for its end, which
    those hear who know that it began.
    """
    moment = _RunContext(connection, config, store.read_active_silences(connection, at=at, model=model), at)
    found = []
    for group in dict.fromkeys(one.group for one in rule_results):
        members = [one for one in rule_results if one.group == group]
        speaking = [one for one in members if one.is_firing]
        known = store.last_incident(connection, model, group)
        if speaking:
            found.append(_open_or_update(moment, known, members, compose_message(model, speaking, report), model))
        elif known is not None and known.status != "resolved" and _has_cleared(known, members):
            found.append(_resolve(moment, known))
    return tuple(found)


def _unresolved_rules(known: Incident | None) -> tuple[str, ...]:
    """Return the rules that spoke of an incident that is not over."""
    return known.rules if known is not None and known.status != "resolved" else ()


def _has_cleared(known: Incident, members: Sequence[RuleResult]) -> bool:
    """Whether each rule that spoke of an incident is calm now; one that cannot be judged leaves it open."""
    return all(one.is_firing is False for one in members if one.rule in known.rules)


def _open_or_update(
    moment: _RunContext, known: Incident | None, members: Sequence[RuleResult], message: IncidentMessage, model: str
) -> Incident:
    severity, held = highest_severity([one for one in members if one.is_firing]), _unresolved_rules(known)
    rules = sorted(one.rule for one in members if one.is_firing or (one.is_firing is None and one.rule in held))
    fresh = store.Incident(
        members[0].group,
        model,
        tuple(rules),
        severity,
        message.title,
        message.text,
        message.details,
        moment.run_at,
        moment.run_at,
    )
    if known is None or (known.status == "resolved" and not _in_cooldown(moment, known)):
        made = replace(fresh, seq=store.add_incident(moment.connection, fresh))
        return _save_and_notify(moment, made, "opened")
    is_worse = SEVERITIES.index(severity) > SEVERITIES.index(known.severity)
    lasting = (
        "seq",
        "opened_at",
        "status",
        "notified_at",
        "acknowledged_at",
        "acknowledged_by",
        "resolved_at",
        "resolved_by",
    )
    seen = replace(fresh, n_occurrences=known.n_occurrences + 1, **{name: getattr(known, name) for name in lasting})
    if known.status == "resolved":  # it came back before its cool-down had passed
        seen = replace(seen, status="open", resolved_at=None, resolved_by=None)
    if is_worse:
        return _save_and_notify(moment, replace(seen, status="open"), "worse")
    if seen.status == "open" and not _in_cooldown(moment, known):
        return _save_and_notify(moment, seen, "still there" if seen.notified_at is not None else "opened")
    store.update_incident(moment.connection, seen)
    return seen


def _in_cooldown(moment: _RunContext, known: Incident) -> bool:
    """Whether somebody was told so shortly before that it is not told again."""
    return (
        known.notified_at is not None
        and moment.run_at - known.notified_at < moment.config.cooldown_minutes * _US_PER_MINUTE
    )


def _resolve(moment: _RunContext, known: Incident) -> Incident:
    ended = replace(known, status="resolved", resolved_at=moment.run_at, resolved_by=_MONITOR_ACTOR)
    store.update_incident(moment.connection, ended)
    enqueue_resolution(moment.connection, ended, at=moment.run_at)
    return ended


def _save_and_notify(moment: _RunContext, incident: Incident, event: str) -> Incident:
    """Write an incident with a message for each receiver; nothing is sent here."""
    if any(one.covers(incident.group_name, moment.run_at) for one in moment.silences):
        store.update_incident(moment.connection, incident)
        return incident
    told = replace(incident, notified_at=moment.run_at)
    store.update_incident(moment.connection, told)
    for sink, declared in moment.config.receivers.items():
        if SEVERITIES.index(told.severity) < SEVERITIES.index(declared.min_severity):
            continue
        enqueue_notification(moment.connection, told, event, sink, at=moment.run_at)
    return told
