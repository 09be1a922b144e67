"""Events become predictions, rows of the log and dead letters; one event never harms another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.state.predictions import LoggedResult
from pipeline.streaming.event_scoring import event_prediction_id, id_prefix, predict_events
from pipeline.streaming.event_values import EventReader
from tests.fixtures.server_process import ROW
from tests.pipeline.streaming.stream_events import BODY, load_package, new_event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.scorer import ScoredRow
    from pipeline.streaming.event_scoring import PredictedEvents
    from pipeline.streaming.kafka_client import Event

READER = EventReader("json", None)
SUBJECT = (("subject", b"person-1"),)


@pytest.fixture(scope="module")
def model(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_package(tmp_path_factory.mktemp("store"), packages["boosted"])


def body(**changes: object) -> bytes:
    return json.dumps({"features": {**ROW, **changes}}).encode()


def predict(events: Sequence[Event], model: LoadedModel) -> PredictedEvents:
    return predict_events(events, model, READER, lambda event, _: f"id-{event.offset}")


def sent(predicted: PredictedEvents, logged: dict[str, LoggedResult] | None = None) -> list[dict[str, Any]]:
    return [json.loads(each.value) for each in predicted.predictions(logged or {}, is_cloud_event=False)]


class _FragileScorer:
    """A scorer of the project that fails for some rows, as a library with a fault does."""

    def __init__(self, model: LoadedModel, fatal: set[int]) -> None:
        self._scorer, self._fatal = model.scorer, fatal

    def score(self, rows: Sequence[tuple[Any, ...]]) -> list[ScoredRow]:
        if any(row[-1] in self._fatal for row in rows):
            raise FloatingPointError("overflow")
        return self._scorer.score(rows)


def test_a_prediction_is_the_response_of_the_api(model: LoadedModel) -> None:
    (response,) = sent(predict([new_event(offset=4)], model))
    assert response["prediction_id"] == "id-4"
    assert (response["model_version"], response["generation"], response["model_digest"]) == (3, 7, model.digest)
    assert set(response["probabilities"]) == set(model.classes)


def test_the_row_of_the_log_is_what_was_sent(model: LoadedModel) -> None:
    predicted = predict([new_event(offset=4)], model)
    [rows] = predicted.rows(predicted_at=11, sample_rate=1.0)
    (response,) = sent(predicted)
    assert (rows.shared.source, rows.shared.predicted_at, rows.shared.weight) == ("stream", 11, 1.0)
    assert (list(rows.prediction_id), list(rows.prediction)) == (["id-4"], [response["prediction"]])
    assert json.loads(rows.probabilities[0]) == response["probabilities"]


@pytest.mark.parametrize("bad", [b"no JSON", body(Stage_fear="perhaps"), body(unknown=1), None])
def test_an_event_without_a_prediction_leaves_the_others_as_they_were(bad: bytes | None, model: LoadedModel) -> None:
    mixed = predict([new_event(offset=0), new_event(bad, offset=1), new_event(offset=2)], model)
    alone = predict([new_event(offset=0), new_event(offset=2)], model)
    assert sent(mixed) == sent(alone)
    assert [letter.event.offset for letter in mixed.dead] == [1]


@pytest.mark.parametrize("fatal", [{3}, {0}, {6}, {2, 3}, {0, 6}, set(range(7))], ids=str)
def test_events_that_break_the_scorer_are_found_by_halving(fatal: set[int], model: LoadedModel) -> None:
    fragile: Any = _FragileScorer(model, fatal)
    events = [new_event(body(Post_frequency=number), offset=number) for number in range(7)]
    predicted = predict(events, replace(model, scorer=fragile))
    whole = predict([event for event in events if event.offset not in fatal], model)
    assert sent(predicted) == sent(whole)
    assert {letter.event.offset for letter in predicted.dead} == fatal


def test_a_repeated_prediction_has_the_bytes_of_the_first(model: LoadedModel) -> None:
    predicted = predict([new_event(offset=number) for number in range(3)], model)
    [rows] = predicted.rows(predicted_at=1, sample_rate=1.0)
    logged = {
        row[0]: LoggedResult(row[0], row[2], row[3], row[4], 3, model.digest, 7, "production")
        for row in zip(*rows[1:], strict=True)
    }
    first = predicted.predictions({}, is_cloud_event=False)
    assert predicted.predictions(logged, is_cloud_event=False) == first


def test_what_the_log_has_wins_over_a_new_score(model: LoadedModel) -> None:
    logged = LoggedResult("id-0", "Other", '{"Other":1.0}', 0.25, 2, "e" * 64, 5, "last_good")
    (response,) = sent(predict([new_event()], model), {"id-0": logged})
    assert (response["prediction"], response["confidence"], response["probabilities"]) == (
        "Other",
        0.25,
        {"Other": 1.0},
    )
    assert (response["model_version"], response["model_digest"], response["generation"]) == (2, "e" * 64, 5)


def test_an_identifier_gives_one_row_also_twice_in_a_batch(model: LoadedModel) -> None:
    events = [new_event(offset=number) for number in range(4)]
    predicted = predict_events(events, model, READER, lambda event, _: f"id-{event.offset // 2}")
    assert list(predicted.rows(predicted_at=1, sample_rate=1.0)[0].prediction_id) == ["id-0", "id-1"]
    assert list(predicted.rows(predicted_at=1, sample_rate=1.0, logged=["id-0"])[0].prediction_id) == ["id-1"]


def test_the_same_rows_are_sampled_whenever_events_are_read(model: LoadedModel) -> None:
    predicted = predict([new_event(offset=number) for number in range(400)], model)
    [rows] = predicted.rows(predicted_at=1, sample_rate=0.25)
    later = predict([new_event(offset=number) for number in range(200, 400)], model)
    expected = [each for each in rows.prediction_id if int(each[3:]) >= 200]
    assert list(later.rows(predicted_at=2, sample_rate=0.25)[0].prediction_id) == expected
    assert rows.shared.weight == 4.0
    assert 60 < rows.n_rows < 140  # 100 expected, deviation 9


def test_identifiers_differ_by_group_topic_partition_and_incarnation() -> None:
    words = ["group", "events", "0", "a"]
    changed = [[*words[:at], "other", *words[at + 1 :]] for at in range(4)]
    assert len({id_prefix(*each) for each in [words, *changed]}) == 5
    assert id_prefix("a", "b") != id_prefix("ab", "")
    assert len(event_prediction_id("group", "events", "A1")) == 36
    assert event_prediction_id("group", "events", "A1") != event_prediction_id("group", "events", "A2")


def test_the_body_of_an_event_is_accepted_by_the_parser_of_the_api(model: LoadedModel) -> None:
    assert model.parser.parse_row(BODY).rows


def test_rows_are_logged_with_whom_they_are_about(model: LoadedModel) -> None:
    events = [new_event(offset=at, headers=headers) for at, headers in enumerate([(), SUBJECT, (), SUBJECT])]
    groups = predict(events, model).rows(predicted_at=1, sample_rate=1.0)
    assert {rows.shared.subject: list(rows.prediction_id) for rows in groups} == {
        None: ["id-0", "id-2"],
        "person-1": ["id-1", "id-3"],
    }
