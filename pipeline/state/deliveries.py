"""Store messages to receivers until they are delivered.

The transaction of an incident writes its messages; one sender at a time claims a message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from pipeline.files import canonical_json
from pipeline.state.sequence import next_number
from pipeline.state.tables import alert_deliveries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import ColumnElement, Connection, Row, Select

__all__ = [
    "Delivery",
    "add_delivery",
    "claim_delivery",
    "count_undelivered",
    "has_due_delivery",
    "last_notifications",
    "mark_delivered",
    "mark_delivery_failed",
    "read_deliveries",
]


# Longer than the delay of a retry and the claim of a sender.
_MAX_WAIT_US = 600_000_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to one receiver; every attempt has the same `key`, so that a receiver detects duplicates."""

    seq: int
    incident_seq: int
    receiver: str
    key: str
    payload: dict[str, Any]
    created_at: int
    due_at: int
    attempts: int
    error: str | None
    done_at: int | None


def add_delivery(
    connection: Connection, incident_seq: int, receiver: str, key: str, payload: Mapping[str, Any], *, at: int
) -> bool:
    """Add a message in the caller's transaction; False when one with this key was added before."""
    if connection.execute(select(alert_deliveries.c.seq).where(alert_deliveries.c.key == key)).first() is not None:
        return False
    row = {
        "seq": next_number(connection, "alert_deliveries"),
        "incident_seq": incident_seq,
        "receiver": receiver,
        "key": key,
        "payload": canonical_json(dict(payload)),
        "created_at": at,
        "due_at": at,
        "claimed_until": 0,
        "attempts": 0,
    }
    connection.execute(insert(alert_deliveries).values(**row))
    return True


def has_due_delivery(connection: Connection, *, at: int) -> bool:
    """Whether a message is due and unclaimed at a moment."""
    return connection.execute(_due_deliveries(at).limit(1)).first() is not None


def claim_delivery(
    connection: Connection, *, at: int, until: int, excluded_receivers: Collection[str] = ()
) -> Delivery | None:
    """Claim the oldest due message until a moment, so that no other sender takes it; None if none is due.

    The claim of a killed sender expires. `excluded_receivers` get no message. A receiver gets the messages of one
    incident in order: its resolution is sent after its opening.
    """
    table = alert_deliveries.c
    row = connection.execute(
        _due_deliveries(at).where(table.receiver.not_in(excluded_receivers)).order_by(table.due_at, table.seq).limit(1)
    ).first()
    if row is None:
        return None
    connection.execute(update(alert_deliveries).where(table.seq == row.seq).values(claimed_until=until))
    return _delivery_from_row(row)


def mark_delivered(connection: Connection, delivery: Delivery, *, at: int) -> None:
    """Mark a message as delivered."""
    values = {"done_at": at, "error": None, "attempts": delivery.attempts + 1}
    connection.execute(update(alert_deliveries).where(alert_deliveries.c.seq == delivery.seq).values(**values))


def mark_delivery_failed(connection: Connection, delivery: Delivery, error: str, *, due_at: int) -> None:
    """Record a failed attempt with its error, and the moment of the next attempt."""
    values = {"due_at": due_at, "claimed_until": 0, "error": error[:500], "attempts": delivery.attempts + 1}
    connection.execute(update(alert_deliveries).where(alert_deliveries.c.seq == delivery.seq).values(**values))


def read_deliveries(
    connection: Connection, *, undelivered_only: bool = True, incident: int | None = None, limit: int = 1000
) -> list[Delivery]:
    """Return messages, newest first: the undelivered ones, or all; of one incident if its number is given."""
    query = select(alert_deliveries).order_by(alert_deliveries.c.seq.desc()).limit(limit)
    if incident is not None:
        query = query.where(alert_deliveries.c.incident_seq == incident)
    if undelivered_only:
        query = query.where(alert_deliveries.c.done_at.is_(None))
    return [_delivery_from_row(row) for row in connection.execute(query)]


def last_notifications(connection: Connection, incident_seq: int) -> dict[str, dict[str, Any]]:
    """Return the newest message about an incident by receiver, sent or not yet sent, in the order of the receivers."""
    table = alert_deliveries.c
    newest = select(func.max(table.seq)).where(table.incident_seq == incident_seq).group_by(table.receiver)
    query = select(table.receiver, table.payload).where(table.seq.in_(newest)).order_by(table.receiver)
    return {row.receiver: json.loads(row.payload) for row in connection.execute(query)}


def count_undelivered(connection: Connection) -> int:
    """Return the number of undelivered messages."""
    waiting = select(func.count()).select_from(alert_deliveries).where(alert_deliveries.c.done_at.is_(None))
    return connection.execute(waiting).scalar() or 0


def _due_deliveries(at: int) -> Select[Any]:
    table, earlier = alert_deliveries.c, alert_deliveries.alias()
    waits_before = select(earlier.c.seq).where(
        earlier.c.incident_seq == table.incident_seq,
        earlier.c.receiver == table.receiver,
        earlier.c.seq < table.seq,
        earlier.c.done_at.is_(None),
    )
    return select(alert_deliveries).where(
        table.done_at.is_(None), ~_is_soon(table.due_at, at), ~_is_soon(table.claimed_until, at), ~waits_before.exists()
    )


def _is_soon(moment: ColumnElement[int], at: int) -> ColumnElement[bool]:
    """Return whether a moment lies ahead; one that lies further ahead than any wait is of a clock that was ahead."""
    return (moment > at) & (moment <= at + _MAX_WAIT_US)


def _delivery_from_row(row: Row[Any]) -> Delivery:
    copied = {name: getattr(row, name) for name in Delivery.__slots__ if name != "payload"}
    return Delivery(**copied, payload=json.loads(row.payload))
