"""Partition PostgreSQL's prediction log by time, so that old rows are removed as a whole; SQLite has no partitions.

What belongs to no partition lies in the one called `predictions_default`, and moves when its partition is made.
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
    "PARTITION_REMOVAL_LOCK_KEY",
    "PartitionRange",
    "add_partitions",
    "drop_partitions",
    "droppable_until",
    "missing_partitions",
    "owns_log",
    "partition_start",
    "remove_detached_partitions",
]

# Who removes what has left the log holds this and lets writers write.
PARTITION_REMOVAL_LOCK_KEY = 6_021_024
_DAY_US = 86_400_000_000
_END_US = 2**63
_DEFAULT_PARTITION = "predictions_default"
_DETACHED_PREFIX = "detached_"
# Readers must not be held up: a change of partitions that has to wait longer for them is left for the next time.
_LOCK_TIMEOUT_SQL = "SET LOCAL lock_timeout = '200ms'"
_OWNS_LOG_SQL = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('predictions')"
_ATTACHED_PARTITIONS_SQL = """
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass('predictions')
"""
_DETACHED_PARTITIONS_SQL = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'detached\\_predictions%'
AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('predictions')) ORDER BY relname
"""
_BOUNDS_PATTERN = re.compile(r"FROM \('?(MINVALUE|-?\d+)'?\) TO \('?(MAXVALUE|-?\d+)'?\)")


class PartitionRange(NamedTuple):
    """The time range [since, until) of a partition, in microseconds since 1970."""

    since: int
    until: int


def partition_start(at: int, *, days: int) -> int:
    """Return the start of the partition that contains a moment."""
    return at - at % (days * _DAY_US)


def owns_log(connection: Connection) -> bool:
    """Whether the account may change the partitions of the log, and so looks after them."""
    return bool(connection.execute(text(_OWNS_LOG_SQL)).scalar())


def missing_partitions(connection: Connection, moments: Iterable[int], *, days: int) -> list[PartitionRange]:
    """Return the partitions that `add_partitions` would create."""
    taken = sorted(_partition_ranges(connection).values())
    starts = sorted({partition_start(at, days=days) for at in moments})
    return [
        part
        for start in starts
        for part in _uncovered_ranges(PartitionRange(start, min(start + days * _DAY_US, _END_US)), taken)
    ]


def add_partitions(connection: Connection, moments: Iterable[int], *, days: int) -> None:
    """Create partitions for these moments in the writer's transaction, each of `days` days or the free part of them.

    Raises
    ------
    sqlalchemy.exc.OperationalError
        When readers hold the log for longer than writers may wait.
    """
    lacking = missing_partitions(connection, moments, days=days)
    if lacking:
        connection.execute(text(_LOCK_TIMEOUT_SQL))
    for partition in lacking:
        name = f"predictions_{np.datetime64(partition.since // _DAY_US, 'D')}".replace("-", "_")
        until = "MAXVALUE" if partition.until >= _END_US else str(partition.until)
        is_its = f"predicted_at >= {partition.since} AND predicted_at <= {partition.until - 1}"
        old = f"DELETE FROM {_DEFAULT_PARTITION} WHERE {is_its} RETURNING *"  # noqa: S608 - own names  # nosec B608
        move_rows = f"WITH old AS ({old}) INSERT INTO {name} SELECT * FROM old"  # noqa: S608 - the same  # nosec B608
        for statement in (
            f"CREATE TABLE {name} (LIKE predictions INCLUDING ALL)",
            f"ALTER TABLE {name} ADD UNIQUE (prediction_id)",
            move_rows,
            f"ALTER TABLE predictions ATTACH PARTITION {name} FOR VALUES FROM ({partition.since}) TO ({until})",
        ):
            connection.exec_driver_sql(statement)


def droppable_until(connection: Connection, *, before: int, days: int) -> int:
    """Return the moment before which retention removes all rows: the end of the last partition that is old."""
    ends = [span.until for span in _partition_ranges(connection).values() if span.until <= before]
    return max([partition_start(before, days=days), *ends])


def drop_partitions(state: State, *, before: int) -> int:
    """Remove the partitions that end before a moment, with their outcomes, and return the number of rows.

    The log detaches a partition at once. Its rows and outcomes are removed while writers continue; after an
    interruption, the next call removes the remainder.

    Raises
    ------
    Conflict
        When readers hold the log for longer than writers may wait; the next call tries again.
    DependencyUnavailable
        When the database is unavailable.
    """
    with state.reading() as connection:
        old = [name for name, span in _partition_ranges(connection).items() if span.until <= before]
    for name in old:
        with state.writing() as connection:
            if name in _partition_ranges(connection):  # another server may have been here
                connection.execute(text(_LOCK_TIMEOUT_SQL))
                connection.exec_driver_sql(f"ALTER TABLE predictions DETACH PARTITION {name}")
                connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {_DETACHED_PREFIX}{name}")
    return remove_detached_partitions(state)


def remove_detached_partitions(state: State) -> int:
    """Drop detached partitions with the outcomes of their predictions, and return the number of removed rows.

    Raises
    ------
    Conflict
        When another program removes them for longer than one waits.
    DependencyUnavailable
        When the database is unavailable.
    """
    with state.reading() as connection:
        left = list(connection.execute(text(_DETACHED_PARTITIONS_SQL)).scalars())
    return sum(_remove_detached_partition(state, name) for name in left)


def _remove_detached_partition(state: State, name: str) -> int:
    with state.writing(lock=PARTITION_REMOVAL_LOCK_KEY) as connection:
        if not connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name}).scalar():
            return 0
        count_sql = f"SELECT count(*) FROM {name}"  # noqa: S608 - an internal name  # nosec B608
        n_rows = connection.exec_driver_sql(count_sql).scalar()
        for table in ("outcomes", "shadow_predictions"):
            connection.exec_driver_sql(
                f"DELETE FROM {table} USING {name} p"  # noqa: S608 - internal names  # nosec B608
                f" WHERE {table}.prediction_id = p.prediction_id"
            )
        connection.exec_driver_sql(f"DROP TABLE {name}")
        return int(n_rows or 0)


def _partition_ranges(connection: Connection) -> dict[str, PartitionRange]:
    """Return the time ranges of the partitions by name, without the default partition."""
    ranges = {}
    for name, bounds in connection.execute(text(_ATTACHED_PARTITIONS_SQL)):
        match = _BOUNDS_PATTERN.search(bounds)
        if match is not None:
            since, until = match.groups()
            ranges[name] = PartitionRange(
                -_END_US if since == "MINVALUE" else int(since), _END_US if until == "MAXVALUE" else int(until)
            )
    return ranges


def _uncovered_ranges(span: PartitionRange, taken: list[PartitionRange]) -> list[PartitionRange]:
    """Return the parts of a time range that no existing partition covers."""
    free, since = [], span.since
    for taken_range in taken:
        if taken_range.since >= span.until:
            break
        if since < taken_range.since:
            free.append(PartitionRange(since, taken_range.since))
        since = max(since, taken_range.until)
    return [*free, PartitionRange(since, span.until)] if since < span.until else free
