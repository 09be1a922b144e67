"""Write messages about an incident for its receivers, in the transaction that changes it; nothing is sent here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.files import canonical_json, sha256

if TYPE_CHECKING:
    from pipeline.state import Incident

__all__ = ["enqueue_notification", "enqueue_resolution"]


def enqueue_notification(connection: Any, incident: Incident, event: str, receiver: str, *, at: int) -> None:
    """Write a message for one receiver."""
    key = sha256(canonical_json([incident.seq, incident.opened_at, event, at, receiver]).encode())
    store.add_delivery(connection, incident.seq, receiver, key, _notification_payload(incident, event, key), at=at)


def enqueue_resolution(connection: Any, incident: Incident, *, at: int) -> None:
    """Write for each receiver that takes an incident for open that it is over, whoever ended it, silence or not."""
    for sink, last in store.last_notifications(connection, incident.seq).items():
        if last["event"] != "resolved":  # one that came back within its cool-down was not told to be there again
            enqueue_notification(connection, incident, "resolved", sink, at=at)


def _notification_payload(incident: Incident, event: str, key: str) -> dict[str, Any]:
    kept = ("model", "severity", "status", "title", "message", "details", "opened_at", "last_seen_at", "n_occurrences")
    return {
        "key": key,
        "event": event,
        "number": incident.seq,
        "group": incident.group_name,
        "rules": list(incident.rules),
        **{name: getattr(incident, name) for name in kept},
        "acknowledge": f"mlops alerts ack {incident.seq}",
    }
