"""Alerts: incidents from rules, notifications of receivers, and what operators do about incidents."""

from pipeline.alerts.incident_actions import (
    Actor,
    acknowledge_incident,
    active_silences,
    create_silence,
    expire_silence,
    firing_findings,
    list_incidents,
    resolve_incident,
)

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
