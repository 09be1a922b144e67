"""The client of a broker: settings from the environment, offsets that are gone, records that are refused."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import ConfigError, DependencyUnavailable
from pipeline.streaming.kafka_client import (
    KafkaClient,
    Partition,
    RecordRefused,
    StreamOffsetGone,
    client_settings,
)
from tests.fixtures.kafka_broker import REBALANCE_QUICKLY
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config.groups.stream_config import KafkaStreamConfig
    from pipeline.streaming.kafka_client import Event
    from tests.fixtures.kafka_broker import KafkaBroker

ENVIRONMENT = {"MLOPS_KAFKA": "broker:9092", "MLOPS_KAFKA_USERNAME": "ada", "MLOPS_KAFKA_PASSWORD": "secret"}

# Numbers of errors in Kafka's protocol.
_TOO_LARGE, _NOT_ALLOWED = 10, 29


class _Listener:
    """Begins each partition at one offset."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset

    def on_assign(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return dict.fromkeys(partitions, self.offset)

    def on_revoke(self, partitions: Sequence[Partition]) -> None:
        pass


def stream_config(*overrides: str) -> KafkaStreamConfig:
    words = (f"stream.client.{name.replace('.', '_')}={value}" for name, value in REBALANCE_QUICKLY.items())
    config = settings("stream=kafka", *words, *overrides).stream
    assert config.kind == "kafka"
    return config


def connect(kafka: KafkaBroker, topic: str, listener: _Listener) -> KafkaClient:
    config = stream_config(f"stream.group={topic}")
    return KafkaClient(config, topic, listener, environ={"MLOPS_KAFKA": kafka.address})


def read(client: KafkaClient, n: int) -> list[Event]:
    events: list[Event] = []
    deadline = time.monotonic() + 60
    while len(events) < n:
        assert time.monotonic() < deadline, f"{len(events)} of {n} events came"
        events += client.consume(100, timeout_s=0.1)
    return events


def test_a_plain_protocol_needs_the_addresses_alone() -> None:
    found = client_settings(stream_config(), {"MLOPS_KAFKA": "a:1,b:2"})
    assert (found["bootstrap.servers"], found["security.protocol"]) == ("a:1,b:2", "plaintext")
    assert not [name for name in found if name.startswith(("sasl", "ssl"))]


def test_user_and_password_come_from_the_environment() -> None:
    config = stream_config("stream.client.security_protocol=sasl_ssl", "stream.client.ssl_ca_location=/ca.pem")
    found = client_settings(config, ENVIRONMENT)
    assert (found["sasl.username"], found["sasl.password"], found["ssl.ca.location"]) == ("ada", "secret", "/ca.pem")


@pytest.mark.parametrize("missing", ENVIRONMENT)
def test_a_missing_variable_is_named_with_its_key(missing: str) -> None:
    environ = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    with pytest.raises(ConfigError, match=rf"the variable {missing} is not set; .* in stream\.\w+_env"):
        client_settings(stream_config("stream.client.security_protocol=sasl_ssl"), environ)


def test_an_event_has_all_that_its_record_has(kafka: KafkaBroker) -> None:
    topic = kafka.new_topic("client", n_partitions=1)
    kafka.produce(topic, [b"value", None], key=b"key", headers=[("a", b"1"), ("a", None)])
    with closing(connect(kafka, topic, _Listener())) as client:
        client.subscribe()
        first, second = read(client, 2)
    assert first[:5] == (Partition(topic, 0), 0, b"key", b"value", (("a", b"1"), ("a", b"")))
    assert (second.value, second.source) == (None, f"{topic}/0/1")
    assert first.timestamp_ms > 0


def test_a_partition_begins_at_the_offset_of_the_listener(kafka: KafkaBroker) -> None:
    topic = kafka.new_topic("client", n_partitions=1)
    kafka.produce(topic, [b"0", b"1", b"2"])
    with closing(connect(kafka, topic, _Listener(2))) as client:
        client.subscribe()
        assert [event.offset for event in read(client, 1)] == [2]


def test_a_paused_partition_continues_at_the_offset_of_the_caller(kafka: KafkaBroker) -> None:
    topic = kafka.new_topic("client", n_partitions=1)
    kafka.produce(topic, [b"0", b"1", b"2"])
    with closing(connect(kafka, topic, _Listener())) as client:
        client.subscribe()
        read(client, 3)
        client.pause([Partition(topic, 0)])
        client.resume({Partition(topic, 0): 1})
        assert [event.offset for event in read(client, 2)] == [1, 2]


def test_committed_offsets_are_read_back(kafka: KafkaBroker) -> None:
    topic = kafka.new_topic("client", n_partitions=1)
    kafka.produce(topic, [b"0"])
    with closing(connect(kafka, topic, _Listener())) as client:
        client.subscribe()
        read(client, 1)
        partition = Partition(topic, 0)
        assert client.committed([partition])[partition] < 0
        assert client.commit({partition: 1}) is None
        assert client.committed([partition]) == {partition: 1}
        assert client.watermarks(partition) == (0, 1)


def test_an_offset_that_the_broker_lacks_ends_the_consumer(kafka: KafkaBroker) -> None:
    topic = kafka.new_topic("client", n_partitions=1)
    kafka.produce(topic, [b"0"])
    with closing(connect(kafka, topic, _Listener(50))) as client:
        client.subscribe()
        with pytest.raises(
            StreamOffsetGone, match=rf"{topic}/0: the broker does not have offset .*mlops stream reset {topic}`"
        ):
            read(client, 1)


def test_records_that_are_flushed_are_with_the_broker(kafka: KafkaBroker) -> None:
    topic = kafka.new_topic("client", n_partitions=1)
    with closing(connect(kafka, topic, _Listener())) as client:
        client.produce(topic, key=b"k", value=b"v", headers=(("h", b"1"),))
        assert client.flush(timeout_s=30)
    (record,) = kafka.read_all(topic)
    assert (record.key(), record.value(), record.headers()) == (b"k", b"v", [("h", b"1")])


def test_a_broker_that_is_gone_is_logged_once_a_minute(
    own_kafka: KafkaBroker, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    own_kafka.create_topic("events", n_partitions=1)
    with closing(connect(own_kafka, "events", _Listener())) as client:
        client.subscribe()
        own_kafka.kill()
        deadline = time.monotonic() + 30
        while not caplog.messages and time.monotonic() < deadline:
            client.consume(1, timeout_s=0.1)
        for _ in range(10):
            client.consume(1, timeout_s=0.1)
    messages = [record.getMessage() for record in caplog.records if record.name.endswith("kafka_client")]
    assert len(messages) == len({message.partition("/")[0] for message in messages}) <= 3
    assert messages[0].startswith("kafka: ")
    assert "rdkafka#" not in capfd.readouterr().err  # the library of the client names itself in its own lines


def test_a_record_that_is_too_large_for_its_topic_is_sent_without_its_value(own_kafka: KafkaBroker) -> None:
    topic = own_kafka.new_topic("client", n_partitions=1)
    with closing(connect(own_kafka, topic, _Listener())) as client:
        own_kafka.refuse_records(_TOO_LARGE)
        client.produce(topic, key=b"k", value=b"12345", headers=(("problem", b"p"),))
        assert client.flush(timeout_s=30)
    (record,) = own_kafka.read_all(topic)
    assert (record.key(), record.value()) == (b"k", None)
    assert record.headers() == [("problem", b"p"), ("omitted_bytes", b"5")]


def test_a_record_without_a_right_is_refused_for_good(own_kafka: KafkaBroker) -> None:
    topic = own_kafka.new_topic("client", n_partitions=1)
    with closing(connect(own_kafka, topic, _Listener())) as client:
        own_kafka.refuse_records(_NOT_ALLOWED)
        client.produce(topic, key=None, value=b"v")
        with pytest.raises(RecordRefused, match=f"{topic}: the broker refuses a record"):
            client.flush(timeout_s=30)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(DependencyUnavailable, match=r"confluent-kafka is not installed; .*mlops\[stream\]"):
        KafkaClient(stream_config(), "events", _Listener(), environ=ENVIRONMENT)
