"""A topic is read between two offsets without joining a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.streaming.kafka_client import Partition
from pipeline.streaming.kafka_reader import KafkaReader
from tests.pipeline.streaming.stream_events import stream_settings

if TYPE_CHECKING:
    from tests.fixtures.kafka_broker import KafkaBroker


def test_events_between_two_offsets_are_read_in_order(kafka: KafkaBroker) -> None:
    topic = kafka.new_topic("events")
    kafka.produce(topic, [str(number).encode() for number in range(10)])
    starts, ends = {Partition(topic, 0): 1, Partition(topic, 1): 4}, {Partition(topic, 0): 3, Partition(topic, 1): 5}
    with KafkaReader(stream_settings(), environ={"MLOPS_KAFKA": kafka.address}) as reader:
        events = [event for batch in reader.read_batches(starts, ends) for event in batch]
        assert [*reader.read_batches(ends, ends)] == []
    assert sorted((event.partition.number, event.offset, event.value) for event in events) == [
        (0, 1, b"2"),
        (0, 2, b"4"),
        (1, 4, b"9"),
    ]


def test_a_broker_that_is_gone_is_an_error_with_the_topic(own_kafka: KafkaBroker) -> None:
    own_kafka.create_topic("events", n_partitions=1)
    own_kafka.kill()
    reader = KafkaReader(stream_settings(), environ={"MLOPS_KAFKA": own_kafka.address}, timeout_s=0.2)
    with reader, pytest.raises(DependencyUnavailable, match="events: the broker does not respond"):
        reader.partitions("events")
