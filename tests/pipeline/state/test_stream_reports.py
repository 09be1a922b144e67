"""Consumers report themselves in the state database; what they counted is added up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.state.stream_reports import (
    ConsumerReport,
    PartitionReport,
    put_consumer_report,
    put_partition_report,
    read_stream_facts,
    remove_consumer_reports,
)

if TYPE_CHECKING:
    from pipeline.state import State

_CONSUMER = ConsumerReport("g", "host-1", "m", "events", "running", "", 1, 0, started_at=5, seen_at=10)
_PARTITION = PartitionReport("g", "events", 3, "m", "host-1", 70, 100, 9, 60, 2, measured_at=10)


def _put(state: State, *reports: ConsumerReport | PartitionReport) -> None:
    with state.writing() as connection:
        for report in reports:
            if isinstance(report, ConsumerReport):
                put_consumer_report(connection, report)
            else:
                put_partition_report(connection, report)


def test_a_model_without_a_stream_has_no_facts(state: State) -> None:
    _put(state, _CONSUMER, _PARTITION)
    with state.reading() as connection:
        assert read_stream_facts(connection, "other").is_empty


def test_a_later_report_replaces_the_earlier_and_adds_its_counts(state: State) -> None:
    paused = replace(_CONSUMER, state="paused", reason="the disk is full", seen_at=20)
    later = replace(_PARTITION, consumer="host-2", next_offset=100, oldest_event_at=None, n_processed=29, n_dead=1)
    _put(state, _CONSUMER, _PARTITION, paused, later)
    with state.reading() as connection:
        facts = read_stream_facts(connection, "m")
    assert facts.consumers == (paused,)
    assert facts.partitions == (replace(later, n_processed=89, n_dead=3),)
    assert [partition.lag for partition in facts.partitions] == [0]


def test_only_consumers_of_the_group_that_are_long_unseen_are_removed(state: State) -> None:
    _put(
        state,
        _CONSUMER,
        replace(_CONSUMER, consumer="host-2", seen_at=11),
        replace(_CONSUMER, group_name="h", seen_at=1),
    )
    with state.writing() as connection:
        assert remove_consumer_reports(connection, "g", seen_before=11) == 1
    with state.reading() as connection:
        left = [(report.group_name, report.consumer) for report in read_stream_facts(connection, "m").consumers]
    assert left == [("g", "host-2"), ("h", "host-1")]
