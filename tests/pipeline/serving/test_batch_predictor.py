"""Requests that arrive together get their own predictions, in order, with their rows for the log."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.serving.batch_predictor import (
    BatchPredictor,
    CompletedRequest,
    PendingRequest,
    _PredictionIds,
    batch_from_json,
)
from pipeline.serving.prediction_types import PredictionBatch
from tests.fixtures.registered_project import batch_body, make_rows, row_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.serving.batch_predictor import RequestKind
    from pipeline.serving.loaded_model import LoadedModel


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop for the futures of requests."""
    new_loop = asyncio.new_event_loop()
    yield new_loop
    new_loop.close()


def make_request(
    loop: asyncio.AbstractEventLoop, model: LoadedModel, features: list[dict[str, Any]], kind: RequestKind = "batch"
) -> PendingRequest:
    if kind == "row":
        rows = model.parser.parse_row(row_body(features[0]))
    else:
        rows = model.parser.parse_batch(batch_body(features), partial=True)
    return PendingRequest(model, rows, kind, loop.create_future(), 0, "api", subject="ada")


def items_of(completed: CompletedRequest) -> list[dict[str, Any]]:
    """Return the items of a batch, without identifiers."""
    items = json.loads(completed.body)["predictions"]
    return [{name: value for name, value in item.items() if name != "prediction_id"} for item in items]


def test_requests_of_two_models_get_their_responses_in_order(
    loop: asyncio.AbstractEventLoop, loaded_models: dict[str, LoadedModel]
) -> None:
    linear, boosted = loaded_models["linear"], loaded_models["boosted"]
    models = [linear, boosted, linear, boosted]
    requests = [make_request(loop, model, make_rows(size)) for size, model in enumerate(models, 1)]
    completed = BatchPredictor(sample_rate=1.0).predict(requests)
    bodies = [json.loads(request.body) for request in completed]
    assert [(len(body["predictions"]), body["model_version"]) for body in bodies] == [(1, 1), (2, 2), (3, 1), (4, 2)]


def test_a_row_gets_the_same_prediction_alone_in_a_batch_and_by_columns(
    loop: asyncio.AbstractEventLoop, loaded_model: LoadedModel
) -> None:
    features = make_rows(3)
    kinds: list[RequestKind] = ["row", "batch", "columns"]
    row, batch, columns = BatchPredictor(sample_rate=0.0).predict(
        [make_request(loop, loaded_model, features, kind) for kind in kinds]
    )
    assert isinstance(columns.response, PredictionBatch)
    assert items_of(batch) == items_of(columns)
    assert items_of(batch)[0].items() <= json.loads(row.body).items()


def test_an_invalid_row_has_its_problems_at_its_position(
    loop: asyncio.AbstractEventLoop, loaded_model: LoadedModel
) -> None:
    features = [*make_rows(1), {"unknown": 1}, *make_rows(1)]
    (completed,) = BatchPredictor(sample_rate=1.0).predict([make_request(loop, loaded_model, features)])
    first, invalid, last = items_of(completed)
    assert first == last
    assert [problem["path"] for problem in invalid["problems"]] == ["instances[1].unknown"]
    assert json.loads(completed.body)["n_refused"] == 1
    assert len(completed.labels) == 2


@pytest.mark.parametrize("kind", ["row", "batch", "columns"])
def test_each_row_of_a_complete_log_equals_its_prediction(
    loop: asyncio.AbstractEventLoop, loaded_model: LoadedModel, kind: RequestKind
) -> None:
    (completed,) = BatchPredictor(sample_rate=1.0).predict([make_request(loop, loaded_model, make_rows(4), kind)])
    response = json.loads(completed.body)
    if kind == "row":
        assert completed.logged_row is not None
        logged = [(completed.logged_row.prediction_id, completed.logged_row.prediction)]
        shared: Any = completed.logged_row
        items = [response]
    else:
        assert completed.logged_rows is not None
        logged = list(zip(completed.logged_rows.prediction_id, completed.logged_rows.prediction, strict=True))
        shared = completed.logged_rows.shared
        items = response["predictions"]
    assert logged == [(item["prediction_id"], item["prediction"]) for item in items]
    assert (shared.subject, shared.weight, shared.source) == ("ada", 1.0, "api")


@pytest.mark.parametrize("kind", ["row", "batch"])
def test_without_a_log_no_row_is_made_for_it(
    loop: asyncio.AbstractEventLoop, loaded_model: LoadedModel, kind: RequestKind
) -> None:
    (completed,) = BatchPredictor(sample_rate=0.0).predict([make_request(loop, loaded_model, make_rows(4), kind)])
    assert (completed.logged_row, completed.logged_rows) == (None, None)


def test_a_cached_row_gets_the_prediction_under_a_new_identifier(
    loop: asyncio.AbstractEventLoop, loaded_model: LoadedModel
) -> None:
    predictor = BatchPredictor(sample_rate=0.0)
    request = make_request(loop, loaded_model, make_rows(1), "row")
    (completed,) = predictor.predict([request])
    cached = predictor.predict_cached(loaded_model, request.rows.rows[0])
    assert cached is not None
    first, second = json.loads(completed.body), json.loads(cached.body)
    assert first.pop("prediction_id") != second.pop("prediction_id")
    assert first == second
    assert (cached.labels, cached.confidences) == (completed.labels, completed.confidences)


def test_a_row_that_is_not_cached_has_no_prediction(loaded_model: LoadedModel) -> None:
    n_features = len(loaded_model.schema.features)
    assert BatchPredictor(sample_rate=0.0).predict_cached(loaded_model, (None,) * (n_features - 1) + ("x",)) is None


def test_a_stored_batch_becomes_the_same_columns(loop: asyncio.AbstractEventLoop, loaded_model: LoadedModel) -> None:
    request = make_request(loop, loaded_model, [*make_rows(2), {"unknown": 1}], "columns")
    (completed,) = BatchPredictor(sample_rate=0.0).predict([request])
    expected = completed.response
    assert isinstance(expected, PredictionBatch)
    restored = batch_from_json(expected.body, request.rows)
    for name in ("predictions", "confidences", "probabilities", "prediction_ids", "row_positions", "errors", "body"):
        assert getattr(restored, name) == getattr(expected, name)


def test_two_threads_never_get_the_same_identifier() -> None:
    interval = sys.getswitchinterval()
    ids, taken = _PredictionIds(), list[str]()
    threads = [
        threading.Thread(target=lambda: [taken.extend(ids.next_ids(5)) for _ in range(10_000)]),
        threading.Thread(target=lambda: [taken.append(ids.next_id()) for _ in range(50_000)]),
    ]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(set(taken)) == len(taken) == 100_000


@pytest.mark.parametrize("kind", ["row", "batch", "columns"])
def test_a_response_repeats_the_ids_of_its_rows(
    loop: asyncio.AbstractEventLoop, loaded_model: LoadedModel, kind: RequestKind
) -> None:
    requests = [make_request(loop, loaded_model, make_rows(2), kind) for _ in range(2)]
    n_rows = len(requests[1].rows.rows)
    requests[1].rows = replace(requests[1].rows, ids=[',"ids":{"row":"C-1"}', ""][:n_rows])
    without, with_ids = (json.loads(done.body) for done in BatchPredictor(sample_rate=0.0).predict(requests))
    first, plain = (body if kind == "row" else body["predictions"][0] for body in (with_ids, without))
    assert first["ids"] == {"row": "C-1"}
    assert {**plain, "prediction_id": ""} == {name: value for name, value in first.items() if name != "ids"} | {
        "prediction_id": ""
    }


def test_columns_have_the_warnings_of_each_row_also_from_a_stored_response(
    loop: asyncio.AbstractEventLoop, loaded_model: LoadedModel
) -> None:
    request = make_request(loop, loaded_model, make_rows(2), "columns")
    first = list(request.rows.rows[0])
    at = next(at for at, column in enumerate(loaded_model.schema.features) if column.kind == "integer")
    request.rows = replace(request.rows, rows=[tuple(first), (*first[:at], 10**9, *first[at + 1 :])])
    (completed,) = BatchPredictor(sample_rate=0.0).predict([request])
    assert isinstance(completed.response, PredictionBatch)
    warning = f"{loaded_model.schema.feature_names[at]}: out_of_range"
    assert [text.replace("many_missing", "") for text in completed.response.warnings] == ["", warning]
    assert batch_from_json(completed.body, request.rows).warnings == completed.response.warnings
