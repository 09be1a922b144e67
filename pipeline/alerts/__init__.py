"""Tell people what they have to know: incidents from rules, messages that arrive, and what people do about them."""

from pipeline.alerts.incidents import (
    Actor,
    acknowledge,
    holding_silences,
    list_incidents,
    resolve,
    silence,
    unsilence,
)

__all__ = ["Actor", "acknowledge", "holding_silences", "list_incidents", "resolve", "silence", "unsilence"]
