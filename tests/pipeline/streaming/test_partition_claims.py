"""Where a claimed partition continues: after what was sent, and never past events that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.state import PredictionWriter
from pipeline.streaming.kafka_client import Partition, StreamOffsetGone
from pipeline.streaming.partition_claims import ClaimLost, PartitionClaims
from tests.pipeline.streaming.stream_events import load_package, new_event

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.state import State

PARTITION = Partition("events", 0)


@pytest.fixture(scope="module")
def model(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_package(tmp_path_factory.mktemp("store"), packages["boosted"])


class _Broker:
    """What a broker says of a partition: its first and next offset, and the offset of the group."""

    def __init__(self, low: int, high: int, committed: int = -1001) -> None:
        self.low, self.high, self.group_offset = low, high, committed

    def watermarks(self, _partition: Partition) -> tuple[int, int]:
        return self.low, self.high

    def committed(self, partitions: list[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(partitions, self.group_offset)


def claim(state: State, broker: Any) -> tuple[PartitionClaims, int]:
    claims = PartitionClaims(state, "group")
    return claims, claims.claim([PARTITION], broker)[PARTITION]


def log_until(state: State, claims: PartitionClaims, model: LoadedModel, offset: int) -> None:
    """Commit a batch whose last event has this offset."""
    advances = claims.advances([new_event(offset=offset)], model, now=1)
    writer = PredictionWriter(state)
    writer.write((), updates=[advance.as_update() for advance in advances.values()])
    writer.close()
    claims.note_logged(advances)


def test_a_new_group_begins_at_the_oldest_event(state: State) -> None:
    assert claim(state, _Broker(3, 9))[1] == 3


def test_a_batch_that_was_not_committed_to_the_group_is_read_again(state: State, model: LoadedModel) -> None:
    claims, _ = claim(state, _Broker(0, 9))
    log_until(state, claims, model, 4)
    log_until(state, claims, model, 6)
    assert claim(state, _Broker(0, 9, committed=5))[1] == 5


@pytest.mark.parametrize("committed", [7, 9])
def test_a_batch_that_was_committed_to_the_group_is_not_read_again(
    committed: int, state: State, model: LoadedModel
) -> None:
    claims, _ = claim(state, _Broker(0, 9))
    log_until(state, claims, model, 6)
    assert claim(state, _Broker(0, 9, committed=committed))[1] == 7


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (0, 5, "the topic ends at offset 5, before offset 7 where the group continues"),
        (
            8,
            20,
            "the oldest event has offset 8, but the group continues at offset 7; 1 events are gone: .* --partition 0`",
        ),
    ],
)
def test_events_that_are_gone_are_never_skipped(
    low: int, high: int, message: str, state: State, model: LoadedModel
) -> None:
    claims, _ = claim(state, _Broker(0, 9))
    log_until(state, claims, model, 6)
    with pytest.raises(StreamOffsetGone, match=message):
        claim(state, _Broker(low, high, committed=7))


def test_events_of_other_partitions_and_events_before_are_not_expected(state: State) -> None:
    claims, _ = claim(state, _Broker(2, 9))
    other = new_event(offset=5)._replace(partition=Partition("events", 1))
    events = [new_event(offset=1), other, new_event(offset=2), new_event(offset=2), new_event(offset=4)]
    assert [event.offset for event in claims.expected_events(events)] == [2, 4]


def test_a_claim_that_another_consumer_took_is_lost(state: State) -> None:
    claims, _ = claim(state, _Broker(0, 9))
    claim(state, _Broker(0, 9))
    with pytest.raises(ClaimLost, match="events/0: another consumer has claimed the partition"):
        claims.refresh()


def test_a_batch_whose_write_failed_is_read_again(state: State) -> None:
    claims, _ = claim(state, _Broker(0, 9))
    claims.expected_events([new_event(offset=0), new_event(offset=1)])
    claims.refresh()
    assert claims.offsets == {PARTITION: 0}


def test_a_batch_whose_commit_was_not_confirmed_is_sent_and_not_logged_again(state: State, model: LoadedModel) -> None:
    claims, _ = claim(state, _Broker(0, 9))
    log_until(state, claims, model, 1)
    claims.note_sent([new_event(offset=1)])
    unconfirmed = claims.advances([new_event(offset=5)], model, now=1)
    writer = PredictionWriter(state)
    writer.write((), updates=[advance.as_update() for advance in unconfirmed.values()])
    writer.close()
    claims.refresh()
    assert claims.offsets == {PARTITION: 2}
    assert claims[PARTITION].position.next_offset == 6


def test_sent_events_of_a_partition_that_was_taken_are_not_committed(state: State) -> None:
    claims, _ = claim(state, _Broker(0, 9))
    assert claims.note_sent([new_event(offset=3)]) == {PARTITION: 4}
    claims.release([PARTITION])
    assert claims.note_sent([new_event(offset=3)]) == {}
    assert claims.partitions == []


def test_no_partition_is_claimed_while_the_broker_does_not_respond(state: State) -> None:
    class _Silent(_Broker):
        def watermarks(self, partition: Partition) -> tuple[int, int]:
            raise DependencyUnavailable(f"{partition}: the broker does not respond")

    claims = PartitionClaims(state, "group")
    silent: Any = _Silent(0, 0)
    with pytest.raises(DependencyUnavailable, match="does not respond"):
        claims.claim([PARTITION], silent)
    assert len(claims) == 0
