"""Store where each consumer group continues in a topic, and who may write the next rows of a partition.

A consumer claims a partition when it is assigned: the epoch of the row grows. Each later transaction names epoch and
offset that it expects, so that a consumer that lost the partition writes nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, insert, select, update

from pipeline.state.prediction_writer import GuardedUpdate, UpdateRefused
from pipeline.state.tables import stream_offsets

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

__all__ = [
    "OffsetAdvance",
    "StreamPosition",
    "advance_position",
    "claim_partition",
    "forget_stream_positions",
    "read_stream_positions",
]

_INCARNATION_BYTES = 8
_ADVANCE_SQL = (
    "UPDATE stream_offsets SET next_offset = ?, batch_start = ?, version = ?, digest = ?, generation = ?,"
    " served_by = ?, updated_at = ?"
    " WHERE group_name = ? AND topic = ? AND partition_number = ? AND epoch = ? AND next_offset = ?"
)


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Where a group continues in a partition.

    `incarnation` is part of the identifiers of predictions: it is new when a topic begins again. Events from
    `batch_start` to `next_offset` are those of the last transaction, predicted by `version`, `digest`, `generation`
    and `served_by` (None before the first one): what they led to may not have been sent.
    """

    group_name: str
    topic: str
    partition_number: int
    incarnation: str
    epoch: int
    next_offset: int
    batch_start: int
    version: int | None
    digest: str | None
    generation: int | None
    served_by: str | None
    updated_at: int


class OffsetAdvance(NamedTuple):
    """A step of a partition from the offset of `position` to `next_offset`, by the model that predicted."""

    position: StreamPosition
    next_offset: int
    version: int
    digest: str
    generation: int
    served_by: str
    now: int

    def as_update(self) -> GuardedUpdate:
        """Return the statement that makes the step, and is refused when epoch or offset differ."""
        at = self.position
        return GuardedUpdate(
            _ADVANCE_SQL,
            (
                self.next_offset,
                at.next_offset,
                self.version,
                self.digest,
                self.generation,
                self.served_by,
                self.now,
                at.group_name,
                at.topic,
                at.partition_number,
                at.epoch,
                at.next_offset,
            ),
        )

    def position_after(self) -> StreamPosition:
        """Return the position that the step leads to."""
        return replace(
            self.position,
            next_offset=self.next_offset,
            batch_start=self.position.next_offset,
            version=self.version,
            digest=self.digest,
            generation=self.generation,
            served_by=self.served_by,
            updated_at=self.now,
        )


def claim_partition(
    connection: Connection, group: str, topic: str, partition: int, *, first_offset: int, now: int
) -> StreamPosition:
    """Make the caller the only one that may write rows of a partition; in a writing transaction.

    `first_offset` is where a group begins that has no position yet.
    """
    where = _is_partition(group, topic, partition)
    row = connection.execute(select(stream_offsets).where(*where)).first()
    if row is None:
        values = {
            "group_name": group,
            "topic": topic,
            "partition_number": partition,
            "incarnation": secrets.token_hex(_INCARNATION_BYTES),
            "epoch": 1,
            "next_offset": first_offset,
            "batch_start": first_offset,
            "updated_at": now,
        }
        connection.execute(insert(stream_offsets).values(**values))
    else:
        connection.execute(update(stream_offsets).where(*where).values(epoch=row.epoch + 1, updated_at=now))
    return StreamPosition(**connection.execute(select(stream_offsets).where(*where)).one()._asdict())


def advance_position(connection: Connection, position: StreamPosition, next_offset: int, *, now: int) -> StreamPosition:
    """Let a partition continue at an offset; in the writing transaction of what its events led to.

    Raises
    ------
    UpdateRefused
        When another consumer has claimed the partition.
    """
    table = stream_offsets.c
    where = _is_partition(position.group_name, position.topic, position.partition_number)
    is_ours = (table.epoch == position.epoch, table.next_offset == position.next_offset)
    advanced = replace(position, next_offset=next_offset, batch_start=position.next_offset, updated_at=now)
    values = {name: getattr(advanced, name) for name in ("next_offset", "batch_start", "updated_at")}
    if connection.execute(update(stream_offsets).where(*where, *is_ours).values(**values)).rowcount != 1:
        raise UpdateRefused(
            f"{position.topic}/{position.partition_number}: another consumer has claimed the partition; nothing was"
            " written"
        )
    return advanced


def read_stream_positions(connection: Connection, group: str | None = None) -> list[StreamPosition]:
    """Return the positions of a group, of all groups when None, by group, topic and partition."""
    table = stream_offsets.c
    query = select(stream_offsets).order_by(table.group_name, table.topic, table.partition_number)
    if group is not None:
        query = query.where(table.group_name == group)
    return [StreamPosition(**row._asdict()) for row in connection.execute(query)]


def forget_stream_positions(connection: Connection, group: str, topic: str, partition: int | None = None) -> int:
    """Remove the positions of a topic, or of one partition; the group begins again at the oldest event.

    Identifiers of later predictions differ from those before, because the incarnation is new. Return the number of
    removed positions.
    """
    where = [stream_offsets.c.group_name == group, stream_offsets.c.topic == topic]
    if partition is not None:
        where.append(stream_offsets.c.partition_number == partition)
    return connection.execute(delete(stream_offsets).where(*where)).rowcount


def _is_partition(group: str, topic: str, partition: int) -> tuple[ColumnElement[bool], ...]:
    table = stream_offsets.c
    return table.group_name == group, table.topic == topic, table.partition_number == partition
