"""Query incidents, silences and the reports of incidents. Only reports are cached, for some seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import alerts
from pipeline import state as store
from pipeline.alerts.analysis import read_incident_report

from .. import queries

if TYPE_CHECKING:
    from pipeline.alerts.analysis import IncidentReport
    from pipeline.state import AuditEntry, Incident, Silence

__all__ = ["PastIncident", "active_silences", "incident_report", "open_incidents", "past_incidents"]

_MAX_INCIDENTS = 500


@dataclass(frozen=True, slots=True)
class PastIncident:
    """A resolved incident, and the audit entry of the person who resolved it; None when the monitor did."""

    incident: Incident
    resolution: AuditEntry | None


def open_incidents(model: str) -> list[Incident]:
    """Return the incidents of a model that are not resolved, the most severe first, then the newest."""
    if not queries.has_state():
        return []
    order = {"critical": 0, "warning": 1, "info": 2}
    return sorted(alerts.list_incidents(queries.state(), model), key=lambda incident: order[incident.severity])


def past_incidents(model: str, *, since: int, until: int) -> list[PastIncident]:
    """Return the resolved incidents that overlap [since, until), newest first."""
    if not queries.has_state():
        return []
    with queries.state().reading() as connection:
        incidents = store.read_incidents(
            connection, model, unresolved_only=False, since=since, until=until, limit=_MAX_INCIDENTS
        )
        resolved = [incident for incident in incidents if incident.status == "resolved"]
        begin = min((incident.opened_at for incident in resolved), default=until)
        entries = store.read_audit_entries(connection, model=model, since=begin, actions=("resolve alert",))
    by_incident = {entry.after.get("incident"): entry for entry in entries}
    return [
        PastIncident(incident, None if incident.resolved_by == store.MONITOR_ACTOR else by_incident.get(incident.seq))
        for incident in resolved
    ]


def active_silences(model: str) -> list[Silence]:
    """Return the active silences of a model."""
    return alerts.active_silences(queries.state(), model) if queries.has_state() else []


def incident_report(number: int) -> IncidentReport:
    """Return the report of an incident; UsageError if there is none."""
    with queries.state().reading() as connection:
        incident = store.find_incident(connection, number)
        silences = store.read_active_silences(connection, at=queries.state().clock(), model=incident.model)
    # A change by a person is seen at once: it is a part of the key.
    key = (incident.status, incident.last_seen_at, tuple(silence.seq for silence in silences))
    return _cached_report(str(queries.project_root()), os.environ.get(store.STATE_URL_ENV), number, key)


@queries.cached(15, spinner="Reading the incident ...")
def _cached_report(
    folder: str,  # noqa: ARG001 - a part of the cache key
    url: str | None,  # noqa: ARG001 - a part of the cache key
    number: int,
    key: tuple[object, ...],  # noqa: ARG001 - a part of the cache key
) -> IncidentReport:
    return read_incident_report(queries.state(), queries.config(), queries.find_package, number)
