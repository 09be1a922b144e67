"""Consumers that are killed at any moment lose nothing and double nothing."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.proof import is_long, proof_rounds
from tests.pipeline.streaming.stream_project import event_values, new_stream_project, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.kafka_broker import KafkaBroker
    from tests.pipeline.streaming.stream_project import Nursery

# In the open transaction; with stored predictions and no result; with sent results and no committed offset.
STEPS = ("advanced", "logged", "flushed")
# Before the transaction, with results in memory, and between two batches: each stores what a step above does, or all.
STEPS += ("scored", "sent", "committed") if is_long() else ()


@pytest.mark.parametrize("nth", [1, 2] if is_long() else [2])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_a_step_of_a_batch(step: str, nth: int, project: Path, kafka: KafkaBroker, nursery: Nursery) -> None:
    with new_stream_project(project, kafka, nursery) as stream:
        stream.produce(event_values(1_000))
        stream.start(step=step, nth=nth).wait()
        last = stream.start()
        stream.wait_for_rows(990)
        stream.wait_for_results(1_000)
        assert last.stop()["error"] == ""
        stream.require_complete()


def test_a_kill_of_the_consumer_that_sends_results_again(project: Path, kafka: KafkaBroker, nursery: Nursery) -> None:
    with new_stream_project(project, kafka, nursery) as stream:
        stream.produce(event_values(100))
        stream.start(step="logged").wait()
        stream.produce(event_values(100))
        stream.start(step="logged").wait()
        last = stream.start()
        wait_until(lambda: stream.n_sent() >= 198, "each event has a prediction")
        assert last.stop()["error"] == ""
        stream.require_complete()


@pytest.mark.parametrize("state_database", ["postgresql"], indirect=True)
def test_kills_of_two_consumers_under_load(project_on: Path, kafka: KafkaBroker, nursery: Nursery) -> None:
    n_kills = proof_rounds(2, long=10)
    n_events = 3_000 * n_kills
    with new_stream_project(project_on, kafka, nursery, n_partitions=4) as stream:
        stream.produce(event_values(n_events))
        consumers = [stream.start(), stream.start()]
        for kill in range(1, n_kills + 1):
            stream.wait_for_rows(n_events * kill // (n_kills + 2))
            consumers.pop(0).kill()
            consumers.append(stream.start())
        stream.wait_for_rows(n_events - n_events // 100)
        stream.wait_for_results(n_events)
        assert [consumer.stop()["error"] for consumer in consumers] == ["", ""]
        stream.require_complete()


def test_a_consumer_that_lost_its_partitions_unnoticed_writes_nothing(
    project: Path, kafka: KafkaBroker, nursery: Nursery
) -> None:
    with new_stream_project(project, kafka, nursery) as stream:
        stream.produce(event_values(1_000))
        zombie = stream.start(step="scored", nth=2, number=signal.SIGSTOP)
        wait_until(lambda: zombie.is_suspended, "the consumer is suspended")
        before = stream.n_logged()
        heir = stream.start()
        stream.wait_for_rows(990)
        stream.wait_for_results(1_000)
        zombie.send(signal.SIGCONT)
        counts = zombie.stop()
        assert heir.stop()["error"] == counts["error"] == ""
        assert counts["n_fenced"] == 1
        assert counts["n_predicted"] == before
        stream.require_complete()
