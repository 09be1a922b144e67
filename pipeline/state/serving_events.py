"""Store events of servers: activated and refused versions, fallbacks, stops and log failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from pipeline.state.sequence import next_number
from pipeline.state.tables import serving_events

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["ServingEvent", "add_serving_event", "read_serving_events"]


@dataclass(frozen=True, slots=True)
class ServingEvent:
    """One event of a server; `kind` is activated, refused, fell_back, stopped or log_failed."""

    recorded_at: int
    model: str
    kind: str
    version: int | None
    digest: str | None
    generation: int | None
    message: str
    seq: int = 0


def add_serving_event(connection: Connection, event: ServingEvent) -> None:
    """Append an event, and assign its number."""
    number = next_number(connection, "serving_events")
    values = {name: getattr(event, name) for name in event.__slots__}
    connection.execute(insert(serving_events).values(**{**values, "seq": number}))


def read_serving_events(
    connection: Connection, model: str, *, kind: str | None = None, limit: int = 100
) -> list[ServingEvent]:
    """Return the newest events of a model, newest first; of one kind if `kind` is given."""
    query = select(serving_events).where(serving_events.c.model == model)
    if kind is not None:
        query = query.where(serving_events.c.kind == kind)
    rows = connection.execute(query.order_by(serving_events.c.seq.desc()).limit(limit))
    return [ServingEvent(**row._asdict()) for row in rows]
