"""The lag is exact for a person; at intervals the age of the oldest event is never less than the true one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.state.stream_offsets import claim_partition
from pipeline.streaming.kafka_client import Partition
from pipeline.streaming.kafka_reader import KafkaReader
from pipeline.streaming.lag_meter import LagMeter, measure_lag
from pipeline.streaming.stream_stats import PartitionCounts
from tests.pipeline.streaming.stream_events import stream_settings

if TYPE_CHECKING:
    from pipeline.state import State
    from tests.fixtures.kafka_broker import KafkaBroker


def _reader(broker: KafkaBroker) -> KafkaReader:
    return KafkaReader(stream_settings(), environ={"MLOPS_KAFKA": broker.address})


def test_the_lag_follows_from_the_stored_position_and_the_end(kafka: KafkaBroker, state: State) -> None:
    topic = kafka.new_topic("events")
    for partition in (0, 1):
        kafka.produce(topic, [b"a", b"b", b"c"], partition=partition, timestamp=5_000 + partition)
    with state.writing() as connection:
        claim_partition(connection, "g", topic, 0, first_offset=3, now=1)
    with _reader(kafka) as reader:
        lags = measure_lag(state, reader, group="g", topic=topic)
    assert [(lag.partition.number, lag.next_offset, lag.end_offset, lag.lag, lag.oldest_event_at) for lag in lags] == [
        (0, 3, 3, 0, None),
        (1, 0, 3, 3, 5_001_000),
    ]


def test_the_oldest_event_is_newer_than_the_last_one_and_than_the_last_moment_without_lag(kafka: KafkaBroker) -> None:
    topic = kafka.new_topic("events", n_partitions=1)
    at, meter = Partition(topic, 0), LagMeter()
    kafka.produce(topic, [b"a", b"b"])
    with _reader(kafka) as reader:

        def oldest(next_offset: int, *, last_event_ms: int, now: int) -> int | None:
            counts = {at: PartitionCounts(last_event_ms=last_event_ms)}
            return meter.measure({at: next_offset}, counts, reader, now=now)[0].oldest_event_at

        assert oldest(0, last_event_ms=0, now=10_000_000) == 10_000_000
        assert oldest(0, last_event_ms=0, now=20_000_000) == 10_000_000
        assert oldest(1, last_event_ms=15_000, now=30_000_000) == 15_000_000
        assert oldest(2, last_event_ms=15_000, now=40_000_000) is None
        kafka.produce(topic, [b"c"])
        assert oldest(2, last_event_ms=15_000, now=50_000_000) == 40_000_000
