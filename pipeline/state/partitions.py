"""Keep PostgreSQL's prediction log in partitions by moment, so that what is old leaves as a whole; a file has none.

What belongs to no partition lies in the one called `predictions_rest`, and moves when its partition is made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from pipeline.state.database import State

__all__ = [
    "RETIRING_LOCK",
    "Span",
    "add_partitions",
    "drop_partitions",
    "lacking_partitions",
    "partition_start",
    "remove_retired",
]

# Who removes what has left the log holds this and lets writers write.
RETIRING_LOCK = 6_021_024
_DAY_US = 86_400_000_000
_END = 2**63
_REST = "predictions_rest"
_GONE = "gone_"
# Readers must not be held up: a change of partitions that has to wait longer for them is left for the next time.
_AT_MOST = "SET LOCAL lock_timeout = '200ms'"
_ATTACHED = """
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass('predictions')
"""
_LEFT_OVER = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'gone\\_predictions%'
AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('predictions')) ORDER BY relname
"""
_BOUNDS = re.compile(r"FROM \('?(MINVALUE|-?\d+)'?\) TO \('?(MAXVALUE|-?\d+)'?\)")


class Span(NamedTuple):
    """The moments in [since, until), microseconds since 1970."""

    since: int
    until: int


def partition_start(at: int, *, days: int) -> int:
    """Return where the partition begins that is to hold a moment."""
    return at - at % (days * _DAY_US)


def lacking_partitions(connection: Connection, moments: Iterable[int], *, days: int) -> list[Span]:
    """Return what `add_partitions` would make."""
    taken = sorted(_spans(connection).values())
    starts = sorted({partition_start(at, days=days) for at in moments})
    return [part for start in starts for part in _free(Span(start, min(start + days * _DAY_US, _END)), taken)]


def add_partitions(connection: Connection, moments: Iterable[int], *, days: int) -> None:
    """Make the partitions that are to hold these moments, each of `days` days or what is free of them, in the writer's transaction.

    Raises
    ------
    sqlalchemy.exc.OperationalError
        When readers hold the log for longer than writers may be kept waiting.
    """
    lacking = lacking_partitions(connection, moments, days=days)
    if lacking:
        connection.execute(text(_AT_MOST))
    for one in lacking:
        name = f"predictions_{np.datetime64(one.since // _DAY_US, 'D')}".replace("-", "_")
        until = "MAXVALUE" if one.until >= _END else str(one.until)
        is_its = f"at >= {one.since} AND at <= {one.until - 1}"
        moved = f"WITH moved AS (DELETE FROM {_REST} WHERE {is_its} RETURNING *) INSERT INTO {name} SELECT * FROM moved"  # noqa: S608 - names and numbers of ours  # nosec B608
        for statement in (
            f"CREATE TABLE {name} (LIKE predictions INCLUDING ALL)",
            f"ALTER TABLE {name} ADD UNIQUE (prediction_id)",
            moved,
            f"ALTER TABLE predictions ATTACH PARTITION {name} FOR VALUES FROM ({one.since}) TO ({until})",
        ):
            connection.exec_driver_sql(statement)


def drop_partitions(state: State, *, before: int) -> int:
    """Remove the partitions whose moments are all before one, with the outcomes of their predictions; return how many rows.

    The log lets go of a partition at once. What hangs on it goes beside the writers, and where that was broken off, at the next call.

    Raises
    ------
    Conflict
        When readers hold the log for longer than writers may be kept waiting; the next call will do.
    DependencyUnavailable
        When the database cannot be had.
    """
    with state.reading() as connection:
        old = [name for name, span in _spans(connection).items() if span.until <= before]
    for name in old:
        with state.writing() as connection:
            if name in _spans(connection):  # another server may have been here
                connection.execute(text(_AT_MOST))
                connection.exec_driver_sql(f"ALTER TABLE predictions DETACH PARTITION {name}")
                connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {_GONE}{name}")
    return remove_retired(state)


def remove_retired(state: State) -> int:
    """Remove the partitions that the log has let go of, with the outcomes of their predictions; return how many rows.

    Raises
    ------
    Conflict
        When another program removes them for longer than one waits.
    DependencyUnavailable
        When the database cannot be had.
    """
    with state.reading() as connection:
        left = list(connection.execute(text(_LEFT_OVER)).scalars())
    return sum(_remove(state, name) for name in left)


def _remove(state: State, name: str) -> int:
    with state.writing(lock=RETIRING_LOCK) as connection:
        if not connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name}).scalar():
            return 0
        n_rows = connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar()  # noqa: S608 - a name of ours  # nosec B608
        connection.exec_driver_sql(
            f"DELETE FROM outcomes USING {name} p WHERE outcomes.prediction_id = p.prediction_id"  # noqa: S608 - a name of ours  # nosec B608
        )
        connection.exec_driver_sql(f"DROP TABLE {name}")
        return int(n_rows or 0)


def _spans(connection: Connection) -> dict[str, Span]:
    """Return the partitions by name, but for that of the rest."""
    found = {}
    for name, bounds in connection.execute(text(_ATTACHED)):
        match = _BOUNDS.search(bounds)
        if match is not None:
            since, until = match.groups()
            found[name] = Span(
                -_END if since == "MINVALUE" else int(since), _END if until == "MAXVALUE" else int(until)
            )
    return found


def _free(wanted: Span, taken: list[Span]) -> list[Span]:
    """Return the parts of a span that no other holds."""
    free, since = [], wanted.since
    for one in taken:
        if one.since >= wanted.until:
            break
        if since < one.since:
            free.append(Span(since, one.since))
        since = max(since, one.until)
    return [*free, Span(since, wanted.until)] if since < wanted.until else free
