"""Tell people what they have to know: incidents from rules, messages that arrive, and what people do about them."""

from pipeline.alerts.incident_actions import (
    Actor,
    acknowledge_incident,
    active_silences,
    create_silence,
    expire_silence,
    list_incidents,
    resolve_incident,
)

__all__ = [
    "Actor",
    "acknowledge_incident",
    "active_silences",
    "create_silence",
    "expire_silence",
    "list_incidents",
    "resolve_incident",
]
