"""Measure how far a group is behind: exactly for a person, and cheaply at intervals for metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.state.stream_offsets import read_stream_positions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.state import State
    from pipeline.streaming.kafka_client import Partition
    from pipeline.streaming.kafka_reader import KafkaReader
    from pipeline.streaming.stream_stats import PartitionCounts

__all__ = ["LagMeter", "PartitionLag", "measure_lag"]

_MS_US = 1_000


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How far a group is behind in a partition; moments are in microseconds since 1970, UTC.

    `next_offset` is where the group continues, `end_offset` what the next event gets. `oldest_event_at` is the moment
    of the oldest event that waits; None without one, or where it is not known.
    """

    partition: Partition
    next_offset: int
    end_offset: int
    oldest_event_at: int | None
    measured_at: int

    @property
    def lag(self) -> int:
        """Events that wait."""
        return max(0, self.end_offset - self.next_offset)

    def age_s(self, now: int) -> float | None:
        """Return how long the oldest event has waited, in seconds."""
        return None if self.oldest_event_at is None else max(0.0, (now - self.oldest_event_at) / 1e6)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "topic": self.partition.topic,
            "partition": self.partition.number,
            "next_offset": self.next_offset,
            "end_offset": self.end_offset,
            "lag": self.lag,
            "oldest_event_at": self.oldest_event_at,
            "oldest_event_seconds": self.age_s(self.measured_at),
        }


def measure_lag(state: State, reader: KafkaReader, *, group: str, topic: str) -> list[PartitionLag]:
    """Return the lag of a group in each partition of a topic, with the moment of the oldest event that waits.

    A partition without a stored position begins at its oldest event.

    Raises
    ------
    UsageError
        When the broker has no such topic.
    DependencyUnavailable
        When the broker or the state database does not respond.
    """
    with state.reading() as connection:
        positions = {
            position.partition_number: position.next_offset
            for position in read_stream_positions(connection, group)
            if position.topic == topic
        }
    lags = []
    for partition in reader.partitions(topic):
        low, end = reader.watermarks(partition)
        start = positions.get(partition.number, low)
        moment_ms = reader.event_moment_ms(partition, max(start, low), end) if start < end else None
        oldest = None if moment_ms is None else moment_ms * _MS_US
        lags.append(PartitionLag(partition, start, end, oldest, state.clock()))
    return lags


@dataclass(slots=True)
class LagMeter:
    """Measures the lag of a running consumer without reading events.

    The oldest event that waits is newer than the last processed one, and newer than the last moment without lag. The
    later of both is reported, so that the true age may be less.
    """

    _caught_up_at: dict[Partition, int] = field(default_factory=dict)

    def measure(
        self,
        next_offsets: Mapping[Partition, int],
        counts: Mapping[Partition, PartitionCounts],
        reader: KafkaReader,
        *,
        now: int,
    ) -> list[PartitionLag]:
        """Return the lag of each partition.

        Raises
        ------
        DependencyUnavailable
            When the broker does not respond.
        """
        lags = []
        for partition, next_offset in next_offsets.items():
            _, end = reader.watermarks(partition)
            if end <= next_offset:
                self._caught_up_at[partition] = now
                oldest = None
            else:
                since = self._caught_up_at.get(partition, 0)
                oldest = min(now, max(since, counts[partition].last_event_ms * _MS_US)) or now
                if oldest == now:
                    self._caught_up_at.setdefault(partition, now)
            lags.append(PartitionLag(partition, next_offset, end, oldest, now))
        return lags
