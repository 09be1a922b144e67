"""A consumer that runs in order: promotions, withdrawn models, ends, identifiers of callers, CloudEvents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.fixtures.registered_project import promote
from tests.pipeline.streaming.stream_project import event_values, new_stream_project, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.kafka_broker import KafkaBroker
    from tests.pipeline.streaming.stream_project import Nursery

GOOD = event_values(1)[0]


def test_an_ended_consumer_has_sent_and_committed_all(project: Path, kafka: KafkaBroker, nursery: Nursery) -> None:
    with new_stream_project(project, kafka, nursery) as stream:
        stream.produce(event_values(200))
        first = stream.start()
        stream.wait_for_rows(198)
        assert first.stop()["error"] == ""
        stream.produce(event_values(200))
        second = stream.start()
        stream.wait_for_rows(396)
        counts = second.stop()
        assert (counts["n_predicted"], counts["n_dead"], counts["n_replayed"]) == (198, 2, 0)
        assert stream.n_sent() == 396
        stream.require_complete()


def test_a_promotion_changes_the_version_and_a_withdrawn_model_stops_the_predictions(
    project: Path, kafka: KafkaBroker, nursery: Nursery
) -> None:
    with new_stream_project(project, kafka, nursery) as stream:
        consumer = stream.start()
        stream.produce([GOOD])
        stream.wait_for_rows(1)
        promote(project, 2)
        wait_until(lambda: consumer.served_version == 2, "the consumer serves version 2")
        stream.produce([GOOD])
        stream.wait_for_rows(2)
        promote(project, 2, "Archived")
        wait_until(lambda: "is in Production" in (consumer.pause_reason or ""), "the consumer pauses")
        stream.produce([GOOD])
        promote(project, 1)
        stream.wait_for_rows(3)
        assert consumer.stop()["error"] == ""
        assert [row.version for row in stream.logged()] == [1, 2, 1]
        stream.require_complete()


def test_an_event_with_the_identifier_of_another_gets_its_result(
    project: Path, kafka: KafkaBroker, nursery: Nursery
) -> None:
    with new_stream_project(project, kafka, nursery, "stream.key=order", n_partitions=1) as stream:
        values = [value for value in event_values(7) if value]
        for order in (b"A", b"B"):
            kafka.produce(stream.topics["events"], values[:2], headers=[("order", order)])
        consumer = stream.start()
        wait_until(lambda: stream.n_sent() == 4, "each event has a prediction")
        kafka.produce(stream.topics["events"], values[3:4], headers=[("order", b"A")])
        wait_until(lambda: stream.n_sent() == 5, "the repeated event has a prediction")
        assert consumer.stop()["error"] == ""
        first, second, *_, last = [record.value() for record in kafka.read_all(stream.topics["predictions"])]
        stated = [json.loads(value) for value in (first, second, last)]
        assert len({(each["prediction_id"], each["confidence"]) for each in stated}) == 1
        assert stream.n_logged() == 2


def test_a_cloud_event_gets_one(project: Path, kafka: KafkaBroker, nursery: Nursery) -> None:
    attributes = [("ce_id", b"7"), ("ce_source", b"shop"), ("ce_type", b"order"), ("ce_specversion", b"1.0")]
    with new_stream_project(project, kafka, nursery, "stream.format=cloudevents", n_partitions=1) as stream:
        kafka.produce(stream.topics["events"], [GOOD], headers=attributes, key=b"k")
        kafka.produce(stream.topics["events"], [GOOD])
        consumer = stream.start()
        wait_until(lambda: stream.n_sent() == stream.n_dead() == 1, "both events have a result")
        assert consumer.stop()["error"] == ""
        (record,) = kafka.read_all(stream.topics["predictions"])
        headers = dict(record.headers())
        assert (headers["ce_type"], record.key()) == (b"mlops.prediction", b"k")
        assert headers["ce_id"].decode() == json.loads(record.value())["prediction_id"]


def test_a_topic_that_begins_again_ends_the_consumer(project: Path, own_kafka: KafkaBroker, nursery: Nursery) -> None:
    with new_stream_project(project, own_kafka, nursery) as stream:
        stream.produce(event_values(20))
        first = stream.start()
        stream.wait_for_rows(19)
        first.stop()
        events = stream.topics["events"]
        with stream.state.writing() as connection:
            connection.exec_driver_sql("UPDATE stream_offsets SET next_offset = next_offset + 100")
        second = stream.start()
        second.wait()
        error = second.result()["error"]
        assert error.startswith(f"StreamOffsetGone: {events}/")
        assert "mlops stream reset" in error
        assert stream.n_logged() == 19


def test_with_the_setting_stop_a_lost_log_ends_the_consumer(
    project: Path, kafka: KafkaBroker, nursery: Nursery
) -> None:
    with new_stream_project(project, kafka, nursery, "stream.on_log_failure=stop") as stream:
        consumer = stream.start()
        stream.produce([GOOD])
        stream.wait_for_rows(1)
        with stream.state.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE predictions RENAME TO hidden")
        stream.produce([GOOD])
        consumer.wait()
        assert "the prediction log cannot be written" in consumer.result()["error"]
        assert stream.n_sent() == 1
