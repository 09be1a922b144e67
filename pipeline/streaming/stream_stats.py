"""Counts and health of a consumer, for metrics and probes; written by its thread and read by any."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.serving.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.streaming.kafka_client import Event, Partition

__all__ = ["PartitionCounts", "StreamStats"]

_NESTED = ("batch_durations_s", "counts", "next_offsets")
_BATCH_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class PartitionCounts:
    """What the events of one partition led to since the start of a consumer, and the moment of its last event."""

    n_processed: int = 0
    n_dead: int = 0
    last_event_ms: int = 0


@dataclass(slots=True)
class StreamStats:
    """Counts since the start of a consumer, and why it waits.

    Attributes
    ----------
    n_predicted, n_dead, n_replayed : int
        Events by result; a replayed event was logged before, and its result was sent again.
    n_batches, n_rebalances, n_fenced, n_refused_commits : int
        Batches, changes of the assignment, batches that were dropped because another consumer has the partition, and
        commits that the broker refused.
    n_partitions : int
        Claimed partitions.
    model_version : int or None
        The version that predicts; None while no model is loaded.
    pause_reason : str or None
        Why no event is read; None while events are read.
    next_offsets : dict
        Where each claimed partition continues.
    counts : dict
        Counts of each partition that was ever claimed.
    batch_durations_s : Histogram
    """

    n_predicted: int = 0
    n_dead: int = 0
    n_replayed: int = 0
    n_batches: int = 0
    n_rebalances: int = 0
    n_fenced: int = 0
    n_refused_commits: int = 0
    n_partitions: int = 0
    model_version: int | None = None
    pause_reason: str | None = None
    next_offsets: dict[Partition, int] = field(default_factory=dict)
    counts: dict[Partition, PartitionCounts] = field(default_factory=dict)
    batch_durations_s: Histogram = field(default_factory=lambda: Histogram(_BATCH_BOUNDS_S))

    @property
    def is_ready(self) -> bool:
        """Whether the consumer has partitions and reads them."""
        return self.wait_reason is None

    @property
    def wait_reason(self) -> str | None:
        """Why no event is read; None while the consumer has partitions and reads them."""
        if self.pause_reason is None and not self.n_partitions:
            return "the group has given this consumer no partition"
        return self.pause_reason

    def note_claimed(self, offsets: Mapping[Partition, int]) -> None:
        """Note the partitions that the consumer has, and where each continues."""
        for partition in offsets:  # first, because another thread looks up the counts of `next_offsets`
            self.counts.setdefault(partition, PartitionCounts())
        self.next_offsets = dict(offsets)
        self.n_partitions = len(offsets)

    def note_events(self, events: Sequence[Event], dead: Iterable[Event]) -> None:
        """Note events that were processed for the first time, each partition in order, and those that are dead."""
        for partition, n_events in Counter(event.partition for event in events).items():
            self.counts[partition].n_processed += n_events
        for event in dead:
            counts = self.counts[event.partition]
            counts.n_processed -= 1
            counts.n_dead += 1
        for partition, last in {event.partition: event for event in events}.items():
            self.counts[partition].last_event_ms = last.timestamp_ms
            if partition in self.next_offsets:
                self.next_offsets[partition] = last.offset + 1

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        names = [name for name in self.__slots__ if name not in _NESTED]
        return {**{name: getattr(self, name) for name in names}, "batch_durations_s": self.batch_durations_s.as_dict()}
