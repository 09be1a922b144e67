"""Store what the consumers of streams report about themselves, so that the lag is known without asking a broker."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import delete, select, update

from pipeline.state.row_upsert import put_row
from pipeline.state.stream_tables import stream_consumers, stream_partitions

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = [
    "ConsumerReport",
    "ConsumerState",
    "PartitionReport",
    "StreamFacts",
    "add_partition_counts",
    "put_consumer_report",
    "put_partition_report",
    "read_stream_facts",
    "remove_consumer_reports",
]

ConsumerState = Literal["running", "paused", "stopped"]
_CONSUMER_KEYS = ("group_name", "consumer")
_PARTITION_KEYS = ("group_name", "topic", "partition_number")
_SUMS = ("n_processed", "n_dead")


@dataclass(frozen=True, slots=True)
class ConsumerReport:
    """A process that consumes a topic, as it reported itself; moments are in microseconds since 1970, UTC.

    Attributes
    ----------
    consumer : str
        Machine and process.
    state : "running", "paused" or "stopped"
        `paused`: it has its partitions and predicts nothing. `stopped`: it has left the group.
    reason : str
        Why it is paused, or the error that ended it; empty otherwise.
    n_rebalances, n_fenced : int
        Since its start: assignments of partitions, and transactions that were refused because another consumer has
        the partition.
    seen_at : int
        The moment of the report.
    """

    group_name: str
    consumer: str
    model: str
    topic: str
    state: ConsumerState
    reason: str
    n_rebalances: int
    n_fenced: int
    started_at: int
    seen_at: int


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """What is known about a partition of a topic, as its consumer measured it at `measured_at`.

    Attributes
    ----------
    consumer : str
        Who had the partition.
    next_offset, end_offset : int
        Where the group continues, and the offset that the next event gets.
    oldest_event_at : int or None
        When the oldest event that waits was produced, or somewhat earlier; None without such an event.
    n_processed, n_dead : int
        Events of this partition that led to a prediction or outcome, and dead letters, as far as they were reported.
    """

    group_name: str
    topic: str
    partition_number: int
    model: str
    consumer: str
    next_offset: int
    end_offset: int
    oldest_event_at: int | None
    n_processed: int
    n_dead: int
    measured_at: int

    @property
    def lag(self) -> int:
        """Events that wait."""
        return max(0, self.end_offset - self.next_offset)


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """The reports of all consumers of a model, by group and name, and of their partitions, by topic and number."""

    consumers: tuple[ConsumerReport, ...] = ()
    partitions: tuple[PartitionReport, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no consumer ever reported."""
        return not self.consumers and not self.partitions


def put_consumer_report(connection: Connection, report: ConsumerReport) -> None:
    """Replace the report of a consumer; in a writing transaction."""
    put_row(connection, stream_consumers, asdict(report), keys=_CONSUMER_KEYS)


def put_partition_report(connection: Connection, report: PartitionReport) -> None:
    """Replace the measurement of a partition, and add the counts of the report; in a writing transaction."""
    put_row(connection, stream_partitions, asdict(report), keys=_PARTITION_KEYS, sums=_SUMS)


def add_partition_counts(
    connection: Connection, group: str, topic: str, partition: int, *, n_processed: int, n_dead: int
) -> None:
    """Add counts to a partition whose lag another consumer measures now; in a writing transaction."""
    table = stream_partitions.c
    connection.execute(
        update(stream_partitions)
        .where(table.group_name == group, table.topic == topic, table.partition_number == partition)
        .values(n_processed=table.n_processed + n_processed, n_dead=table.n_dead + n_dead)
    )


def read_stream_facts(connection: Connection, model: str) -> StreamFacts:
    """Return what consumers of a model reported; empty where the model has no stream."""
    consumers = select(stream_consumers).where(stream_consumers.c.model == model)
    partitions = select(stream_partitions).where(stream_partitions.c.model == model)
    by_consumer = (stream_consumers.c[name] for name in _CONSUMER_KEYS)
    by_partition = (stream_partitions.c[name] for name in _PARTITION_KEYS)
    return StreamFacts(
        tuple(ConsumerReport(**row._asdict()) for row in connection.execute(consumers.order_by(*by_consumer))),
        tuple(PartitionReport(**row._asdict()) for row in connection.execute(partitions.order_by(*by_partition))),
    )


def remove_consumer_reports(connection: Connection, group: str, *, seen_before: int) -> int:
    """Remove the consumers of a group that last reported before a moment, and return their number."""
    table = stream_consumers.c
    return connection.execute(
        delete(stream_consumers).where(table.group_name == group, table.seen_at < seen_before)
    ).rowcount
