"""Enqueue messages about an incident in the transaction that changes it; the delivery sends them later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.files import canonical_json, sha256

if TYPE_CHECKING:
    from pipeline.state import Incident

__all__ = ["enqueue_notification", "enqueue_resolution"]


def enqueue_notification(connection: Any, incident: Incident, event: str, receiver: str, *, at: int) -> None:
    """Enqueue a message for one receiver."""
    key = sha256(canonical_json([incident.seq, incident.opened_at, event, at, receiver]).encode())
    store.add_delivery(connection, incident.seq, receiver, key, _notification_payload(incident, event, key), at=at)


def enqueue_resolution(connection: Any, incident: Incident, *, at: int) -> None:
    """Enqueue the resolution for each receiver that was notified of the incident, even under a silence."""
    for receiver, last in store.last_notifications(connection, incident.seq).items():
        if last["event"] != "resolved":  # a receiver of a resolution was not notified again within the cooldown
            enqueue_notification(connection, incident, "resolved", receiver, at=at)


def _notification_payload(incident: Incident, event: str, key: str) -> dict[str, Any]:
    copied = (
        "model",
        "severity",
        "status",
        "title",
        "message",
        "details",
        "opened_at",
        "last_seen_at",
        "n_occurrences",
    )
    return {
        "key": key,
        "event": event,
        "number": incident.seq,
        "group": incident.group_name,
        "rules": list(incident.rules),
        **{name: getattr(incident, name) for name in copied},
        "acknowledge": f"mlops alerts ack {incident.seq}",
    }
