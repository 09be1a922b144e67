"""Claim the partitions that a consumer gets, and find the offset at which each continues.

The state database decides where a partition continues, not the broker. What the last transaction led to may not have
been sent; its events are read once more when the group has not committed them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import Conflict, DependencyUnavailable
from pipeline.state.stream_offsets import OffsetAdvance, claim_partition, read_stream_positions
from pipeline.streaming.event_scoring import id_prefix
from pipeline.streaming.kafka_client import Partition, StreamOffsetGone

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.state import State
    from pipeline.state.stream_offsets import StreamPosition
    from pipeline.streaming.kafka_client import Event, KafkaClient
    from pipeline.streaming.stream_stats import StreamStats

__all__ = ["Claim", "ClaimLost", "PartitionClaims"]

_RETRY_S = 1.0


class ClaimLost(Exception):
    """Another consumer has claimed a partition since; this one writes no row of it."""


@dataclass(slots=True)
class Claim:
    """One claimed partition: its stored position, the offset up to which results were sent, and the next to read.

    Events below `position.next_offset` are logged already: what they led to is sent again.
    """

    position: StreamPosition
    sent: int
    expected: int = field(init=False)
    id_prefix: str = field(init=False)

    def __post_init__(self) -> None:
        """Begin after what was sent, and derive the prefix of the identifiers."""
        at = self.position
        self.expected = self.sent
        self.id_prefix = id_prefix(at.group_name, at.topic, str(at.partition_number), at.incarnation)


class PartitionClaims:
    """The claimed partitions of one consumer.

    Parameters
    ----------
    state : State
    group : str
        The consumer group.
    """

    def __init__(self, state: State, group: str) -> None:
        self._state = state
        self._group = group
        self._claims: dict[Partition, Claim] = {}

    def __len__(self) -> int:
        """Return the number of claimed partitions."""
        return len(self._claims)

    def __getitem__(self, partition: Partition) -> Claim:
        """Return the claim of a partition."""
        return self._claims[partition]

    def has(self, partition: Partition, claim: Claim) -> bool:
        """Return whether this is still the claim of a partition."""
        return self._claims.get(partition) is claim

    @property
    def partitions(self) -> list[Partition]:
        """The claimed partitions."""
        return list(self._claims)

    @property
    def next_offsets(self) -> dict[Partition, int]:
        """The offset after the last event that is stored, by partition."""
        return {partition: claim.position.next_offset for partition, claim in self._claims.items()}

    @property
    def offsets(self) -> dict[Partition, int]:
        """The offset of the event that is expected next, by partition."""
        return {partition: claim.expected for partition, claim in self._claims.items()}

    def claim(self, partitions: Sequence[Partition], client: KafkaClient) -> dict[Partition, int]:
        """Claim partitions, and return where each begins.

        Raises
        ------
        StreamOffsetGone
            When the broker does not have the events that follow.
        DependencyUnavailable
            When the state database or the broker does not respond; no partition is claimed then.
        """
        if not partitions:
            return {}
        marks = {partition: client.watermarks(partition) for partition in partitions}
        committed = client.committed(partitions)
        claims = {}
        with self._state.writing() as connection:
            now = self._state.clock()
            for partition in partitions:
                low, high = marks[partition]
                position = claim_partition(connection, self._group, *partition, first_offset=max(low, 0), now=now)
                is_sent = committed[partition] >= position.next_offset
                start = position.next_offset if is_sent else max(position.batch_start, low)
                _require_events(partition, position.next_offset, low=low, high=high)
                claims[partition] = Claim(position, start)
        self._claims |= claims
        return {partition: claim.expected for partition, claim in claims.items()}

    def claim_when_possible(
        self, partitions: Sequence[Partition], client: KafkaClient, *, stats: StreamStats, stop_event: threading.Event
    ) -> Mapping[Partition, int]:
        """Claim partitions as soon as state database and broker respond, and return where each begins.

        While they do not, `stats.pause_reason` has the reason. Returns no partition after `stop_event`.
        """
        stats.n_rebalances += 1
        offsets: Mapping[Partition, int] = {}
        while not stop_event.is_set():
            try:
                offsets = self.claim(partitions, client)
                break
            except (DependencyUnavailable, Conflict) as error:
                stats.pause_reason = str(error)
                stop_event.wait(_RETRY_S)
        stats.note_claimed(self.next_offsets)
        return offsets

    def release(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions that the group took away."""
        for partition in partitions:
            self._claims.pop(partition, None)

    def refresh(self) -> None:
        """Read the positions again after a write whose end is unknown; the claims continue from there.

        Raises
        ------
        ClaimLost
            When another consumer has claimed one of the partitions.
        DependencyUnavailable
            When the state database is unavailable.
        """
        with self._state.reading() as connection:
            positions = read_stream_positions(connection, self._group)
        stored = {Partition(position.topic, position.partition_number): position for position in positions}
        for partition, claim in self._claims.items():
            position = stored.get(partition)
            if position is None or position.epoch != claim.position.epoch:
                raise ClaimLost(f"{partition}: another consumer has claimed the partition")
            if position.next_offset != claim.position.next_offset:
                # The transaction was committed although its response was lost: nothing of it was sent.
                claim.position, claim.sent = position, position.batch_start
            claim.expected = claim.sent

    def expected_events(self, events: Iterable[Event]) -> list[Event]:
        """Return the events of claimed partitions that were not read yet, and expect those after them."""
        expected = []
        claims = self._claims
        for event in events:
            claim = claims.get(event.partition)
            if claim is not None and event.offset >= claim.expected:
                claim.expected = event.offset + 1
                expected.append(event)
        return expected

    def advances(self, events: Iterable[Event], model: LoadedModel, *, now: int) -> dict[Partition, OffsetAdvance]:
        """Return the step of each partition that has some of `events`, up to the last one."""
        return {
            partition: OffsetAdvance(
                self._claims[partition].position,
                offset + 1,
                model.version,
                model.digest,
                model.generation,
                model.served_by,
                now,
            )
            for partition, offset in _last_offsets(events).items()
        }

    def note_logged(self, advances: Mapping[Partition, OffsetAdvance]) -> None:
        """Note steps that a transaction made."""
        for partition, advance in advances.items():
            claim = self._claims[partition]
            claim.position = advance.position_after()

    def note_sent(self, events: Iterable[Event]) -> dict[Partition, int]:
        """Note that the results of events were sent; return the offsets to commit."""
        offsets = {}
        for partition, offset in _last_offsets(events).items():
            claim = self._claims.get(partition)
            if claim is not None:  # the group may have taken the partition while the broker was away
                claim.sent = max(claim.sent, offset + 1)
                offsets[partition] = offset + 1
        return offsets


def _last_offsets(events: Iterable[Event]) -> dict[Partition, int]:
    return {event.partition: event.offset for event in events}


def _require_events(partition: Partition, next_offset: int, *, low: int, high: int) -> None:
    if high < next_offset:
        raise StreamOffsetGone(
            f"{partition}: the topic ends at offset {high}, before offset {next_offset} where the group continues;"
            f" if the topic was made anew, run `mlops stream reset {partition.topic}` to begin at its oldest event"
        )
    if low > next_offset:
        raise StreamOffsetGone(
            f"{partition}: the oldest event has offset {low}, but the group continues at offset {next_offset};"
            f" {low - next_offset} events are gone: restore them, or run `mlops stream reset"
            f" {partition.topic} --partition {partition.number}` to go on without them"
        )
