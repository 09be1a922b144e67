"""Keep counts of logged predictions by hour, each row counted once, and sum them over any window of hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, text, update

from pipeline.errors import Conflict
from pipeline.state.tables import counters, outcomes, predictions, rollups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

__all__ = [
    "add_rollups",
    "clear_rollups",
    "predictions_after",
    "rolled_until",
    "sum_rollups",
    "window_predictions",
]

# SQLite and PostgreSQL read this alike; one statement for many rows.
_ADD = """
INSERT INTO rollups (model, digest, hour, "column", bin, count, is_closed)
VALUES (:model, :digest, :hour, :column, :bin, :count, :no)
ON CONFLICT (model, digest, hour, "column", bin) DO UPDATE SET count = rollups.count + excluded.count
"""


def rolled_until(connection: Connection, model: str) -> int:
    """Return the number of the last prediction that the roll-ups of a model have seen; 0 for none."""
    found = connection.execute(select(counters.c.value).where(counters.c.name == _counter(model))).scalar()
    return int(found or 0)


def predictions_after(connection: Connection, model: str, seq: int, *, limit: int) -> list[Any]:
    """Return at most `limit` predictions of a model with a number above `seq`, in their order."""
    query = select(predictions).where(predictions.c.model == model, predictions.c.seq > seq)
    return list(connection.execute(query.order_by(predictions.c.seq).limit(limit)))


def add_rollups(
    connection: Connection, model: str, cells: Mapping[tuple[str, int, str, int], int], *, after: int, until: int
) -> None:
    """Add counts and move on, in the caller's writing transaction: both or neither.

    Parameters
    ----------
    connection : Connection
    model : str
    cells : mapping of (digest, hour, column, bin) to count
        `hour` is its first microsecond.
    after, until : int
        The rows counted are those with numbers in (after, until].

    Raises
    ------
    Conflict
        When somebody else counted rows since `after` was read; nothing may then be committed.
    """
    if rolled_until(connection, model) != after:
        raise Conflict(f"{model}: another process rolled predictions up in between; run it again")
    rows = [
        {"model": model, "digest": digest, "hour": hour, "column": column, "bin": position, "count": n, "no": False}
        for (digest, hour, column, position), n in cells.items()
    ]
    if rows:
        connection.execute(text(_ADD), rows)
    _set_counter(connection, model, until)


def clear_rollups(connection: Connection, model: str) -> None:
    """Forget the counts of a model, so that they are made anew from the log."""
    connection.execute(delete(rollups).where(rollups.c.model == model))
    _set_counter(connection, model, 0)


def sum_rollups(
    connection: Connection, model: str, digest: str, *, since: int, until: int
) -> dict[tuple[str, int], int]:
    """Return counts by column and bin over the hours that begin in [since, until)."""
    where = (
        rollups.c.model == model,
        rollups.c.digest == digest,
        rollups.c.hour >= since,
        rollups.c.hour < until,
    )
    query = select(rollups.c.column, rollups.c.bin, func.sum(rollups.c.count)).where(*where)
    return {
        (column, position): int(n)
        for column, position, n in connection.execute(query.group_by(rollups.c.column, rollups.c.bin))
    }


def window_predictions(connection: Connection, model: str, *, since: int, until: int) -> list[Any]:
    """Return the predictions of a model in [since, until) with their last outcome, or None in `outcome`.

    Of several outcomes the last that arrived counts; one of a prediction that is not in the log waits for it.
    """
    last = (
        select(outcomes.c.prediction_id, func.max(outcomes.c.seq).label("seq"))
        .group_by(outcomes.c.prediction_id)
        .subquery()
    )
    joined = predictions.outerjoin(last, last.c.prediction_id == predictions.c.prediction_id).outerjoin(
        outcomes, outcomes.c.seq == last.c.seq
    )
    query = (
        select(predictions, outcomes.c.outcome)
        .select_from(joined)
        .where(predictions.c.model == model, predictions.c.at >= since, predictions.c.at < until)
    )
    return list(connection.execute(query.order_by(predictions.c.seq)))


def _counter(model: str) -> str:
    return f"rollups {model}"[:200]


def _set_counter(connection: Connection, model: str, value: int) -> None:
    name = _counter(model)
    changed = connection.execute(update(counters).where(counters.c.name == name).values(value=value))
    if changed.rowcount == 0:
        connection.execute(insert(counters).values(name=name, value=value))
