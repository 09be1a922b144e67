"""The last moment that the database has seen: evidence about the clock, before old rows are removed by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from pipeline.state.predictions import iter_models
from pipeline.state.tables import audit, counters, predictions

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["PRUNE_ACTION", "read_seen_clock", "record_seen_clock"]

# Written by the removal itself, which proves nothing about the clock.
PRUNE_ACTION = "prune"
_COUNTER = "clock_seen_at"


def read_seen_clock(connection: Connection, *, until: int, max_gap: int) -> int | None:
    """Return the last moment that the database has seen, None for an empty one.

    It begins at the last recorded moment, otherwise at the oldest row, and follows the predictions and the audit trail
    as long as each is at most `max_gap` later than the one before. So rows that were logged while the clock was far
    ahead prove nothing.

    Parameters
    ----------
    connection : Connection
    until : int
        The search ends when this moment is within the gap. All moments are in microseconds since 1970.
    max_gap : int
        Longest time without a row, in microseconds.
    """
    seen = connection.execute(select(counters.c.value).where(counters.c.name == _COUNTER)).scalar()
    if seen is None:
        seen = _oldest_moment(connection)
    while seen is not None and until > seen + max_gap:
        later = _newest_moment(connection, since=seen, until=seen + max_gap)
        if later is None:
            break
        seen = later
    return seen


def record_seen_clock(connection: Connection, at: int) -> None:
    """Record that the clock of a machine was right at a moment."""
    changed = connection.execute(update(counters).where(counters.c.name == _COUNTER).values(value=at))
    if not changed.rowcount:
        connection.execute(insert(counters).values(name=_COUNTER, value=at))


def _oldest_moment(connection: Connection) -> int | None:
    moments = [
        connection.execute(select(func.min(predictions.c.predicted_at)).where(predictions.c.model == model)).scalar()
        for model in iter_models(connection)
    ]
    moments.append(connection.execute(select(func.min(audit.c.recorded_at))).scalar())
    return min((moment for moment in moments if moment is not None), default=None)


def _newest_moment(connection: Connection, *, since: int, until: int) -> int | None:
    """Return the newest moment of a row in (since, until]."""
    column = predictions.c.predicted_at
    moments = [
        connection.execute(
            select(func.max(column)).where(predictions.c.model == model, column > since, column <= until)
        ).scalar()
        for model in iter_models(connection)
    ]
    column = audit.c.recorded_at
    other = select(func.max(column)).where(column > since, column <= until, audit.c.action != PRUNE_ACTION)
    moments.append(connection.execute(other).scalar())
    return max((moment for moment in moments if moment is not None), default=None)
