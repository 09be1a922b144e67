"""Counts are by partition, also of partitions that were given away; a consumer without one is not ready."""

from __future__ import annotations

import json

from pipeline.streaming.kafka_client import Partition
from pipeline.streaming.stream_stats import StreamStats
from tests.pipeline.streaming.stream_events import new_event

_FIRST = Partition("events", 0)


def test_a_dead_letter_is_not_counted_as_processed() -> None:
    stats = StreamStats()
    stats.note_claimed({_FIRST: 4})
    events = [new_event(offset=offset)._replace(timestamp_ms=offset) for offset in (4, 5, 6)]
    stats.note_events(events, [events[1]])
    stats.note_claimed({})
    assert [(counts.n_processed, counts.n_dead, counts.last_event_ms) for counts in stats.counts.values()] == [
        (2, 1, 6)
    ]


def test_the_next_offset_follows_the_events() -> None:
    stats = StreamStats()
    stats.note_claimed({_FIRST: 4})
    stats.note_events([new_event(offset=4), new_event(offset=5)], [])
    assert stats.next_offsets == {_FIRST: 6}


def test_the_reason_to_wait_is_that_of_the_consumer_or_that_it_has_no_partition() -> None:
    stats = StreamStats()
    assert (stats.is_ready, stats.wait_reason) == (False, "the group has given this consumer no partition")
    stats.note_claimed({_FIRST: 0})
    assert (stats.is_ready, stats.wait_reason) == (True, None)
    stats.pause_reason = "the disk is full"
    assert (stats.is_ready, stats.wait_reason) == (False, "the disk is full")


def test_the_counts_are_plain_values() -> None:
    stats = StreamStats(n_predicted=3, pause_reason="x")
    stats.batch_durations_s.observe(0.2)
    values = json.loads(json.dumps(stats.as_dict()))
    assert (values["n_predicted"], values["pause_reason"], values["batch_durations_s"]["sum"]) == (3, "x", 0.2)
