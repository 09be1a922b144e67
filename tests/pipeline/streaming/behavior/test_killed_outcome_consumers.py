"""A consumer of outcomes that is killed at any step stores each event once, and sends each dead letter."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from pipeline.state.stream_offsets import read_stream_positions
from pipeline.state.tables import outcomes
from tests.pipeline.streaming.stream_project import event_values, new_stream_project, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.kafka_broker import KafkaBroker
    from tests.pipeline.streaming.stream_project import Nursery, StreamProject

_N = 5


def _stored_ids(stream: StreamProject) -> Counter[str]:
    with stream.state.reading() as connection:
        return Counter(connection.execute(select(outcomes.c.prediction_id)).scalars())


def _stored_offset(stream: StreamProject) -> int:
    with stream.state.reading() as connection:
        positions = read_stream_positions(connection)
    return sum(position.next_offset for position in positions if position.topic == stream.topics["outcomes"])


@pytest.mark.parametrize("step", ["sent", "written", "stored"])
def test_a_kill_at_a_step_loses_and_doubles_nothing(
    project: Path, kafka: KafkaBroker, nursery: Nursery, step: str
) -> None:
    with new_stream_project(project, kafka, nursery, n_partitions=1) as stream:
        stream.produce(event_values(_N))
        predictor = stream.start()
        stream.wait_for_rows(_N)
        predictor.kill()
        ids = [row.prediction_id for row in stream.logged()]
        values = [json.dumps({"prediction_id": each, "outcome": "Introvert"}).encode() for each in ids]
        kafka.produce(stream.topics["outcomes"], [*values, b"no JSON"])
        stream.start(step=step, reads_outcomes=True).wait()
        stream.start(reads_outcomes=True)
        wait_until(lambda: _stored_offset(stream) == _N + 1, "all events are processed")
        assert _stored_ids(stream) == Counter(ids)
        assert {value for letters in stream.dead_letters().values() for value, _ in letters} == {b"no JSON"}
