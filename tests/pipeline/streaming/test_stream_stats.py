"""Counts and readiness of a consumer."""

from __future__ import annotations

import json

import pytest

from pipeline.streaming.stream_stats import StreamStats


@pytest.mark.parametrize(
    ("n_partitions", "reason", "is_ready"), [(0, None, False), (2, None, True), (2, "the log is gone", False)]
)
def test_a_consumer_is_ready_with_partitions_that_it_reads(
    n_partitions: int, reason: str | None, is_ready: bool
) -> None:
    assert StreamStats(n_partitions=n_partitions, hold_reason=reason).is_ready is is_ready


def test_the_counts_are_plain_values() -> None:
    stats = StreamStats(n_predicted=3, hold_reason="x")
    stats.batch_durations_s.observe(0.2)
    values = json.loads(json.dumps(stats.as_dict()))
    assert (values["n_predicted"], values["hold_reason"], values["batch_durations_s"]["sum"]) == (3, "x", 0.2)
