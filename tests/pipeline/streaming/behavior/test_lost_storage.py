"""A log that cannot be written and a broker that is gone: nothing is sent unlogged, and no restart is needed."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.fixtures import postgresql_server
from tests.fixtures.proof import is_long
from tests.pipeline.streaming.stream_project import event_values, new_stream_project, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.kafka_broker import KafkaBroker
    from tests.pipeline.streaming.stream_project import Nursery

_LONG_S = 30


@pytest.mark.parametrize("state_database", ["postgresql"], indirect=True)
def test_a_log_that_cannot_be_written_for_a_while(
    project_on: Path, postgresql: str, kafka: KafkaBroker, nursery: Nursery
) -> None:
    with new_stream_project(project_on, kafka, nursery) as stream:
        stream.produce(event_values(600))
        consumer = stream.start()
        stream.wait_for_rows(594)
        wait_until(lambda: stream.n_sent() == 594, "each prediction is sent")
        with postgresql_server.stopped_server(postgresql):
            stream.produce(event_values(600))
            wait_until(lambda: consumer.pause_reason is not None, "the consumer pauses")
            time.sleep(_LONG_S if is_long() else 0)
            assert stream.n_sent() == 594
        stream.wait_for_rows(1_188)
        wait_until(lambda: consumer.pause_reason is None, "the consumer continues")
        assert consumer.stop()["error"] == ""
        stream.require_complete()


def test_a_broker_that_is_gone_while_results_are_sent(project: Path, own_kafka: KafkaBroker, nursery: Nursery) -> None:
    with new_stream_project(project, own_kafka, nursery) as stream:
        stream.produce(event_values(1_000))
        consumer = stream.start(step="logged", nth=2, number=signal.SIGSTOP)
        wait_until(lambda: consumer.is_suspended, "the consumer is suspended")
        own_kafka.set_down()
        consumer.send(signal.SIGCONT)
        wait_until(lambda: "the broker does not take" in (consumer.pause_reason or ""), "the consumer waits")
        time.sleep(_LONG_S if is_long() else 0)
        own_kafka.set_up()
        stream.wait_for_rows(990)
        wait_until(lambda: consumer.pause_reason is None, "the consumer continues")
        assert consumer.stop()["error"] == ""
        stream.require_complete()
