"""Results reach their requests, and name the rows that the log has."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.serving.batch_predictor import BatchPredictor
from pipeline.serving.request_results import count_rows, fall_back, logged_values, resolve_futures
from tests.pipeline.serving.test_worker import make_request

if TYPE_CHECKING:
    from pipeline.serving.loaded_model import LoadedModel


def complete(model: LoadedModel, *sizes: int, sample_rate: float = 1.0) -> tuple[list[Any], list[Any]]:
    """Return requests of these sizes and their results."""

    async def use() -> tuple[list[Any], list[Any]]:
        requests = [make_request(model, n) for n in sizes]
        return requests, list(BatchPredictor(sample_rate=sample_rate).predict(requests))

    return asyncio.run(use())


def test_logged_values_are_those_of_every_row(loaded_model: LoadedModel) -> None:
    requests, results = complete(loaded_model, 1, 3)
    rows = logged_values(requests, results, digest=loaded_model.digest)
    assert [values for _, values in rows] == [*requests[0].rows.rows, *requests[1].rows.rows]
    assert [name for name, _ in rows] == [
        results[0].logged_row.prediction_id,
        *results[1].logged_rows.prediction_id,
    ]
    assert count_rows(requests) == 4


def test_logged_values_leave_out_what_the_log_lacks(loaded_model: LoadedModel) -> None:
    requests, results = complete(loaded_model, 1, 200, sample_rate=0.5)
    rows = logged_values(requests[1:], results[1:], digest=loaded_model.digest)
    assert [name for name, _ in rows] == list(results[1].logged_rows.prediction_id)
    assert logged_values(requests, [ValueError(), ValueError()], digest=loaded_model.digest) == []
    assert logged_values(requests, results, digest="0" * 64) == []
    requests[1].loaded_model = replace(loaded_model, served_by="last_good")
    assert logged_values(requests[1:], results[1:], digest=loaded_model.digest) == []


def test_a_request_gets_its_response_or_its_error_once(loaded_model: LoadedModel) -> None:
    async def use() -> list[Any]:
        requests = [make_request(loaded_model) for _ in range(3)]
        requests[2].future.cancel()
        (completed,) = BatchPredictor(sample_rate=1.0).predict(requests[:1])
        resolve_futures(requests, [completed, ValueError("broken"), completed])
        return await asyncio.gather(*(request.future for request in requests), return_exceptions=True)

    response, error, cancelled = asyncio.run(use())
    assert b"prediction_id" in response
    assert (str(error), type(cancelled)) == ("broken", asyncio.CancelledError)


def test_a_request_of_the_champion_cannot_fall_back(loaded_model: LoadedModel) -> None:
    requests, _ = complete(loaded_model, 1)
    error = ValueError("broken")
    assert fall_back(requests[0], error) == (False, error)
