"""Reports of two consumers of a stream in the state database of a project, as the consumers write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.state.stream_reports import ConsumerReport, PartitionReport, put_consumer_report, put_partition_report
from tests.app.loop_history import opened_state

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["add_stream_reports"]

_SECOND_US = 1_000_000


def add_stream_reports(root: Path, model: str) -> None:
    """Add a running and a silent consumer of the topic `events`, and one partition of each."""
    with opened_state(root) as state, state.writing() as connection:
        now = state.clock()
        hour_ago = now - 3_600 * _SECOND_US
        for number, seen_at in enumerate((now, hour_ago)):
            consumer = ConsumerReport("g", f"host-{number}", model, "events", "running", "", 1, 0, hour_ago, seen_at)
            put_consumer_report(connection, consumer)
            partition = PartitionReport(
                "g", "events", number, model, f"host-{number}", 1_000, 1_500, now - 9 * _SECOND_US, 990, 10, seen_at
            )
            put_partition_report(connection, partition)
