"""Turn what rules say into incidents: opened, seen again, made worse, ended; and write what receivers are to be told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.alerts.message import compose, worst
from pipeline.alerts.rules import SEVERITIES
from pipeline.alerts.telling import tell, tell_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.alerts.message import Message
    from pipeline.alerts.rules import Judged
    from pipeline.config.groups.alerts import AlertsConfig
    from pipeline.state import Incident, Silence

__all__ = ["raise_incidents"]

_US_IN_A_MINUTE = 60_000_000
_BY_ITSELF = "monitor"


@dataclass(frozen=True, slots=True)
class _Moment:
    """What stays the same while one run is written down."""

    connection: Any
    config: AlertsConfig
    quiet: Sequence[Silence]
    at: int


def raise_incidents(
    connection: Any, config: AlertsConfig, model: str, judged: Sequence[Judged], report: Mapping[str, Any], *, at: int
) -> tuple[Incident, ...]:
    """Write down what the rules say in the caller's transaction; return the incidents that it touched.

    An incident is told when it opens, when it gets worse, when it still stands after the cool-down and nobody
    acknowledged it, and when it ends. One that a silence covers is kept and not told, but for its end, which
    those hear who know that it began.
    """
    moment = _Moment(connection, config, store.silences(connection, at=at, model=model), at)
    found = []
    for group in dict.fromkeys(one.group for one in judged):
        members = [one for one in judged if one.group == group]
        speaking = [one for one in members if one.speaks]
        known = store.last_incident(connection, model, group)
        if speaking:
            found.append(_raise(moment, known, members, compose(model, speaking, report), model))
        elif known is not None and known.status != "resolved" and _is_over(known, members):
            found.append(_end(moment, known))
    return tuple(found)


def _held(known: Incident | None) -> tuple[str, ...]:
    """Return the rules that spoke of an incident that is not over."""
    return known.rules if known is not None and known.status != "resolved" else ()


def _is_over(known: Incident, members: Sequence[Judged]) -> bool:
    """Whether each rule that spoke of an incident is calm now; one that cannot be judged leaves it open."""
    return all(one.speaks is False for one in members if one.rule in known.rules)


def _raise(
    moment: _Moment, known: Incident | None, members: Sequence[Judged], message: Message, model: str
) -> Incident:
    severity, held = worst([one for one in members if one.speaks]), _held(known)
    rules = sorted(one.rule for one in members if one.speaks or (one.speaks is None and one.rule in held))
    fresh = store.Incident(
        members[0].group,
        model,
        tuple(rules),
        severity,
        message.title,
        message.text,
        message.details,
        moment.at,
        moment.at,
    )
    if known is None or (known.status == "resolved" and not _is_warm(moment, known)):
        made = replace(fresh, seq=store.add_incident(moment.connection, fresh))
        return _told(moment, made, "opened")
    is_worse = SEVERITIES.index(severity) > SEVERITIES.index(known.severity)
    lasting = ("seq", "at", "status", "told_at", "acknowledged_at", "acknowledged_by", "resolved_at", "resolved_by")
    seen = replace(fresh, n_times=known.n_times + 1, **{name: getattr(known, name) for name in lasting})
    if known.status == "resolved":  # it came back before its cool-down had passed
        seen = replace(seen, status="open", resolved_at=None, resolved_by=None)
    if is_worse:
        return _told(moment, replace(seen, status="open"), "worse")
    if seen.status == "open" and not _is_warm(moment, known):
        return _told(moment, seen, "still there" if seen.told_at is not None else "opened")
    store.change_incident(moment.connection, seen)
    return seen


def _is_warm(moment: _Moment, known: Incident) -> bool:
    """Whether somebody was told so shortly before that it is not told again."""
    return known.told_at is not None and moment.at - known.told_at < moment.config.cooldown_minutes * _US_IN_A_MINUTE


def _end(moment: _Moment, known: Incident) -> Incident:
    ended = replace(known, status="resolved", resolved_at=moment.at, resolved_by=_BY_ITSELF)
    store.change_incident(moment.connection, ended)
    tell_end(moment.connection, ended, at=moment.at)
    return ended


def _told(moment: _Moment, incident: Incident, event: str) -> Incident:
    """Write an incident with a message for each receiver; nothing is sent here."""
    if any(one.covers(incident.incident, moment.at) for one in moment.quiet):
        store.change_incident(moment.connection, incident)
        return incident
    told = replace(incident, told_at=moment.at)
    store.change_incident(moment.connection, told)
    for sink, declared in moment.config.sinks.items():
        if SEVERITIES.index(told.severity) < SEVERITIES.index(declared.least):
            continue
        tell(moment.connection, told, event, sink, at=moment.at)
    return told
