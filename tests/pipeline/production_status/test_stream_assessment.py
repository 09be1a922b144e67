"""Streams are assessed from the reports of their consumers; a project without a stream has no such component."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.production_status import assess_production
from pipeline.production_status.stream_assessment import assess_stream
from pipeline.state.stream_reports import ConsumerReport, PartitionReport, StreamFacts
from tests.pipeline.production_status.status_scenarios import HOUR_US, NOW, facts, known

_SECOND_US = 1_000_000
CONSUMER = ConsumerReport("g", "host-1", "m", "events", "running", "", 1, 0, NOW - HOUR_US, NOW - 5 * _SECOND_US)
PARTITION = PartitionReport("g", "events", 0, "m", "host-1", 70, 100, NOW - 9 * _SECOND_US, 60, 2, NOW - 5 * _SECOND_US)
_PAUSED = replace(CONSUMER, state="paused", reason="the disk is full")
_GONE = replace(CONSUMER, seen_at=NOW - HOUR_US)
_LATE = replace(PARTITION, oldest_event_at=NOW - HOUR_US)
_STALE = replace(PARTITION, partition_number=1, measured_at=NOW - HOUR_US)


@pytest.mark.parametrize(
    ("consumers", "partitions", "expected"),
    [
        ((CONSUMER,), (PARTITION,), ("healthy", "on_time", "1 consumer, 1 partition; 30 events wait")),
        ((CONSUMER, _GONE), (PARTITION,), ("healthy", "on_time", "1 consumer, 1 partition; 30 events wait")),
        ((_PAUSED, CONSUMER), (PARTITION,), ("degraded", "paused", "1 consumer of 2 paused: the disk is full")),
        ((CONSUMER,), (_LATE,), ("degraded", "late", "1 consumer; 30 events wait, the oldest for 1 hour")),
        (
            (CONSUMER,),
            (PARTITION, _STALE),
            (
                "degraded",
                "stale",
                "1 consumer; the lag of 1 partition of 2 is not known: measured last 1 hour ago",
            ),
        ),
        ((_GONE,), (PARTITION,), ("down", "no_consumer", "No consumer reports: `host-1` reported last 1 hour ago")),
        (
            (replace(_GONE, state="stopped"),),
            (PARTITION,),
            ("unknown", "stopped", "No consumer runs; `host-1` reported last 1 hour ago, when it was stopped"),
        ),
        (
            (replace(_GONE, state="stopped", reason="the topic ends"),),
            (PARTITION,),
            ("down", "failed", "`host-1` ended 1 hour ago: the topic ends"),
        ),
        (
            (CONSUMER, replace(_GONE, group_name="h", topic="outcomes")),
            (PARTITION,),
            (
                "down",
                "no_consumer",
                (
                    "events: 1 consumer, 1 partition; 30 events wait; outcomes: No consumer reports: `host-1` reported"
                    " last 1 hour ago"
                ),
            ),
        ),
        ((), (PARTITION,), ("unknown", "unknown", "No consumer runs")),
    ],
)
def test_the_reports_decide(
    consumers: tuple[ConsumerReport, ...], partitions: tuple[PartitionReport, ...], expected: tuple[str, str, str]
) -> None:
    status = assess_stream(known(stream=StreamFacts(consumers, partitions)), NOW)
    assert status is not None
    assert (status.state, status.condition, status.sentence) == expected


_OVER = replace(CONSUMER, state="stopped", seen_at=NOW - 25 * HOUR_US)


@pytest.mark.parametrize("stream", [None, StreamFacts(), StreamFacts((_OVER,), (PARTITION,))])
def test_a_project_without_a_stream_has_no_component(stream: StreamFacts | None) -> None:
    healthy = facts()
    status = assess_production(replace(healthy, database=replace(healthy.database, model=known(stream=stream))))
    assert "stream" not in [component.name for component in status.components]


def test_the_sentence_of_production_names_a_stream_that_is_down() -> None:
    healthy = facts()
    status = assess_production(
        replace(healthy, database=replace(healthy.database, model=known(stream=StreamFacts((_GONE,), (PARTITION,)))))
    )
    assert status.sentence.startswith("Production is down: stream without consumer, last seen ")
