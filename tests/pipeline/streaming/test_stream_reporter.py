"""A consumer reports itself; a broker that is gone leaves the last lag, and counts are added once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.state.stream_reports import read_stream_facts
from pipeline.streaming.kafka_client import Partition
from pipeline.streaming.kafka_reader import KafkaReader
from pipeline.streaming.stream_reporter import StreamReporter
from pipeline.streaming.stream_stats import StreamStats
from tests.pipeline.streaming.stream_events import new_event, stream_settings
from tests.pipeline.streaming.stream_project import wait_until

if TYPE_CHECKING:
    from pipeline.state import State
    from pipeline.state.stream_reports import StreamFacts
    from tests.fixtures.kafka_broker import KafkaBroker


def _facts(state: State) -> StreamFacts:
    with state.reading() as connection:
        return read_stream_facts(connection, "m")


def test_reports_follow_the_consumer_until_it_stops(own_kafka: KafkaBroker, state: State) -> None:
    own_kafka.create_topic("events", n_partitions=1)
    own_kafka.produce("events", [b"a", b"b", b"c"])
    stats, partition = StreamStats(n_rebalances=1), Partition("events", 0)
    stats.note_claimed({partition: 0})
    reader = KafkaReader(stream_settings(), environ={"MLOPS_KAFKA": own_kafka.address}, timeout_s=0.3)
    reporter = StreamReporter("g", "events", "m", state=state, stats=stats, reader=reader, interval_s=0.01)
    reporter.start()
    wait_until(lambda: [each.lag for each in _facts(state).partitions] == [3], "the lag is reported")
    stats.note_events([new_event(offset=0), new_event(offset=1)], [new_event(offset=1)])
    wait_until(lambda: [each.lag for each in _facts(state).partitions] == [1], "the lag falls")
    stats.pause_reason = "the disk is full"
    own_kafka.kill()
    wait_until(lambda: _facts(state).consumers[0].state == "paused", "the pause is reported")
    reporter.stop("OffsetGone: the topic ends")
    facts = _facts(state)
    assert [(each.lag, each.n_processed, each.n_dead) for each in facts.partitions] == [(1, 1, 1)]
    assert [(each.state, each.reason, each.n_rebalances) for each in facts.consumers] == [
        ("stopped", "OffsetGone: the topic ends", 1)
    ]
