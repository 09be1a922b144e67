"""Tell people what they have to know: incidents from rules, messages that arrive, and what people do about them."""

from pipeline.alerts.incidents import (
    Actor,
    acknowledge_incident,
    active_silences,
    list_incidents,
    resolve_incident,
    create_silence,
    expire_silence,
)

__all__ = ["Actor", "acknowledge_incident", "active_silences", "list_incidents", "resolve_incident", "create_silence", "expire_silence"]
