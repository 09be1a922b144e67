"""Store incidents and silences."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.state.sequence import next_number
from pipeline.state.tables import alert_silences, incidents

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

__all__ = [
    "MONITOR_ACTOR",
    "Incident",
    "Silence",
    "add_incident",
    "add_silence",
    "end_silence",
    "find_incident",
    "last_incident",
    "last_resolved_at",
    "read_active_silences",
    "read_incidents",
    "update_incident",
]

MONITOR_ACTOR = "monitor"  # who resolved an incident whose rules no longer fire


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident that alert rules opened; moments are in microseconds since 1970, UTC.

    Parameters
    ----------
    group_name : str
        The group that it belongs to: of one group and model at most one incident is open.
    rules : tuple of str
        Names of the rules that speak of it.
    severity : "info", "warning" or "critical"
    status : "open", "acknowledged" or "resolved"
    n_occurrences : int
        Runs of the monitor that saw it.
    notified_at : int or None
        When receivers were last notified.
    """

    group_name: str
    model: str
    rules: tuple[str, ...]
    severity: str
    title: str
    message: str
    details: dict[str, Any]
    opened_at: int
    last_seen_at: int
    n_occurrences: int = 1
    status: str = "open"
    notified_at: int | None = None
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    resolved_at: int | None = None
    resolved_by: str | None = None
    seq: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "rules": list(self.rules)}


@dataclass(frozen=True, slots=True)
class Silence:
    """A pause of notifications about one group of incidents of a model (None: all groups) until a moment."""

    model: str
    group_name: str | None
    created_at: int
    until: int
    actor: str
    reason: str
    seq: int = field(default=0)

    def covers(self, group_name: str, at: int) -> bool:
        """Whether the silence covers a group of incidents at a moment."""
        return self.created_at <= at < self.until and self.group_name in (None, group_name)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def add_incident(connection: Connection, incident: Incident) -> int:
    """Add an incident in the caller's transaction, and return its number."""
    seq = next_number(connection, "incidents")
    connection.execute(insert(incidents).values(**_incident_values(incident), seq=seq))
    return seq


def update_incident(connection: Connection, incident: Incident) -> None:
    """Replace the stored incident that has the same number."""
    connection.execute(update(incidents).where(incidents.c.seq == incident.seq).values(**_incident_values(incident)))


def find_incident(connection: Connection, seq: int) -> Incident:
    """Return the incident with a number.

    Raises
    ------
    UsageError
        When there is none.
    """
    row = connection.execute(select(incidents).where(incidents.c.seq == seq)).first()
    if row is None:
        raise UsageError(f"no incident has the number {seq}; `mlops alerts list --all` shows them")
    return _incident_from_row(row)


def read_incidents(
    connection: Connection,
    model: str | None = None,
    *,
    unresolved_only: bool = True,
    since: int | None = None,
    until: int | None = None,
    limit: int | None = None,
) -> list[Incident]:
    """Return incidents, newest first: those that are not resolved, or all; with bounds, those that overlap them."""
    query = select(incidents).order_by(incidents.c.seq.desc())
    if since is not None:
        query = query.where(incidents.c.resolved_at.is_(None) | (incidents.c.resolved_at >= since))
    if until is not None:
        query = query.where(incidents.c.opened_at < until)
    if model is not None:
        query = query.where(incidents.c.model == model)
    if unresolved_only:
        query = query.where(incidents.c.status != "resolved")
    return [_incident_from_row(row) for row in connection.execute(query.limit(limit) if limit is not None else query)]


def last_incident(connection: Connection, model: str, group_name: str) -> Incident | None:
    """Return the newest incident of a group, resolved or not."""
    query = select(incidents).where(incidents.c.model == model, incidents.c.group_name == group_name)
    row = connection.execute(query.order_by(incidents.c.seq.desc()).limit(1)).first()
    return None if row is None else _incident_from_row(row)


def last_resolved_at(connection: Connection, model: str) -> int | None:
    """Return when the last incident of a model was resolved; None without one."""
    query = select(func.max(incidents.c.resolved_at)).where(incidents.c.model == model)
    moment: int | None = connection.execute(query).scalar()
    return moment


def add_silence(connection: Connection, silence: Silence) -> int:
    """Add a silence in the caller's transaction, and return its number."""
    seq = next_number(connection, "alert_silences")
    connection.execute(insert(alert_silences).values(**{**silence.as_dict(), "seq": seq}))
    return seq


def end_silence(connection: Connection, seq: int, *, at: int) -> None:
    """End a silence at a moment."""
    connection.execute(update(alert_silences).where(alert_silences.c.seq == seq).values(until=at))


def read_active_silences(connection: Connection, *, at: int, model: str | None = None) -> list[Silence]:
    """Return the silences that are active at a moment, oldest first."""
    query = select(alert_silences).where(alert_silences.c.until > at).order_by(alert_silences.c.seq)
    if model is not None:
        query = query.where(alert_silences.c.model == model)
    return [Silence(**row._asdict()) for row in connection.execute(query)]


def _incident_values(incident: Incident) -> dict[str, Any]:
    plain = {name: value for name, value in asdict(incident).items() if name != "seq"}
    return {**plain, "rules": json.dumps(incident.rules), "details": canonical_json(incident.details)}


def _incident_from_row(row: Row[Any]) -> Incident:
    values = row._asdict()
    return Incident(**{**values, "rules": tuple(json.loads(row.rules)), "details": json.loads(row.details)})
