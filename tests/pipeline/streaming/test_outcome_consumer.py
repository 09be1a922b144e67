"""Outcomes of a topic are stored once; one that overtakes its prediction waits, and an unknown one is a dead letter."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from pipeline.config.config_loader import load_params
from pipeline.state.stream_offsets import claim_partition, read_stream_positions
from pipeline.state.tables import outcomes, predictions
from pipeline.streaming.outcome_consumer import OutcomeConsumer, outcome_group
from pipeline.streaming.stream_startup import build_models, require_stream
from tests.pipeline.streaming.stream_project import event_values, new_stream_project, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.fixtures.kafka_broker import KafkaBroker
    from tests.pipeline.streaming.stream_project import Nursery, StreamProject


@contextmanager
def _running(stream: StreamProject, **changes: Any) -> Iterator[OutcomeConsumer]:
    config = load_params(stream.root / "params.yaml")
    settings = require_stream(config).model_copy(update=changes)
    models = build_models(config, stream.root, stream.state)
    consumer = OutcomeConsumer(settings, state=stream.state, models=models)
    thread = threading.Thread(target=consumer.run)
    thread.start()
    try:
        yield consumer
    finally:
        consumer.stop()
        thread.join()


def _outcome(prediction_id: str, outcome: str = "Introvert") -> bytes:
    return json.dumps({"prediction_id": prediction_id, "outcome": outcome}).encode()


def _stored(stream: StreamProject) -> list[tuple[str, str, str]]:
    table = outcomes.c
    with stream.state.reading() as connection:
        rows = connection.execute(select(table.prediction_id, table.outcome, table.source).order_by(table.seq))
        return [tuple(row) for row in rows]


def test_outcomes_are_stored_and_the_others_are_dead_letters(
    project: Path, kafka: KafkaBroker, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_KAFKA", kafka.address)
    with new_stream_project(project, kafka, nursery, n_partitions=1) as stream:
        _log_predictions(stream, 3)
        ids = [row.prediction_id for row in stream.logged()]
        topic = stream.topics["outcomes"]
        wrong = [b"no JSON", None, _outcome(ids[0], "Martian"), b'{"prediction_id": "x", "n": NaN}']
        kafka.produce(topic, [_outcome(ids[0]), *wrong, _outcome("unknown"), _outcome(ids[1], "Extrovert")])
        with _running(stream, outcome_wait_s=0.0) as consumer:
            wait_until(lambda: consumer.stats.n_predicted == 2, "both outcomes are stored")
        # A consumer that starts again continues after what is stored.
        with _running(stream, outcome_wait_s=0.0):
            kafka.produce(topic, [_outcome("from the future")], timestamp=4_102_444_800_000)
            kafka.produce(topic, [_outcome(ids[2])])
            wait_until(lambda: len(_stored(stream)) == 3, "the third outcome is stored")
        assert _stored(stream) == [
            (ids[0], "Introvert", "stream"),
            (ids[1], "Extrovert", "stream"),
            (ids[2], "Introvert", "stream"),
        ]
        dead = kafka.read_all(stream.topics["dead"])
        assert [record.value() for record in dead] == [*wrong, _outcome("unknown"), _outcome("from the future")]
        problem = json.loads(dict(dead[-1].headers())["problem"])
        assert problem["problems"][0]["message"] == "no such prediction is in the log"


def test_a_claim_ends_the_wait_for_the_state_database(
    project: Path, kafka: KafkaBroker, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_KAFKA", kafka.address)
    with new_stream_project(project, kafka, nursery, n_partitions=1) as stream:
        config = load_params(stream.root / "params.yaml")
        models = build_models(config, stream.root, stream.state)
        consumer = OutcomeConsumer(require_stream(config), state=stream.state, models=models)
        consumer.stats.pause_reason = "the state database is unavailable"
        consumer.on_assign([])
        assert consumer.stats.pause_reason is None


def test_an_outcome_that_overtakes_its_prediction_waits_for_it(
    project: Path, kafka: KafkaBroker, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_KAFKA", kafka.address)
    with new_stream_project(project, kafka, nursery, n_partitions=1) as stream:
        _log_predictions(stream, 2)
        first, late = stream.logged()
        with stream.state.writing() as connection:
            connection.execute(predictions.delete().where(predictions.c.prediction_id == late.prediction_id))
        kafka.produce(
            stream.topics["outcomes"], [_outcome(first.prediction_id), _outcome(late.prediction_id), _outcome("x")]
        )
        with _running(stream, outcome_wait_s=3_600.0) as consumer:
            wait_until(lambda: consumer.stats.n_predicted == 1, "the first outcome is stored")
            with stream.state.writing() as connection:
                connection.execute(predictions.insert().values(late._asdict()))
            wait_until(lambda: consumer.stats.n_predicted == 2, "the second outcome is stored")
        assert [row[0] for row in _stored(stream)] == [first.prediction_id, late.prediction_id]
        assert kafka.read_all(stream.topics["dead"]) == []


def test_a_consumer_that_lost_its_partition_stores_nothing(
    project: Path, kafka: KafkaBroker, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_KAFKA", kafka.address)
    with new_stream_project(project, kafka, nursery, n_partitions=1) as stream:
        _log_predictions(stream, 1)
        topic = stream.topics["outcomes"]
        group = outcome_group(require_stream(load_params(stream.root / "params.yaml")))
        with _running(stream) as consumer:
            wait_until(lambda: consumer.stats.n_partitions == 1, "the partition is claimed")
            with stream.state.writing() as connection:
                claim_partition(connection, group, topic, 0, first_offset=0, now=1)
            kafka.produce(topic, [_outcome(stream.logged()[0].prediction_id)])
            wait_until(lambda: consumer.stats.n_fenced == 1, "the consumer is fenced")
            wait_until(lambda: len(_stored(stream)) == 1, "the outcome is stored under a new claim")
        with stream.state.reading() as connection:
            assert [each.next_offset for each in read_stream_positions(connection, group)] == [1]


def test_a_consumer_without_events_is_ready_after_the_database_was_away(
    project: Path, kafka: KafkaBroker, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_KAFKA", kafka.address)
    with new_stream_project(project, kafka, nursery, n_partitions=1) as stream:
        with stream.state.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE stream_offsets RENAME TO hidden")
        with _running(stream) as consumer:
            wait_until(lambda: consumer.stats.pause_reason is not None, "no partition can be claimed")
            with stream.state.writing() as connection:
                connection.exec_driver_sql("ALTER TABLE hidden RENAME TO stream_offsets")
            wait_until(lambda: consumer.stats.is_ready, "the consumer is ready")
            assert consumer.stats.n_partitions == 1


def _log_predictions(stream: StreamProject, n: int) -> None:
    stream.produce(event_values(n))
    consumer = stream.start()
    stream.wait_for_rows(n)
    consumer.stop()
