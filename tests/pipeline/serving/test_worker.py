"""The worker resolves a request after its rows are committed, and a failure of one request stays with it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from pipeline.serving.batch_predictor import PendingRequest, Response
from pipeline.serving.rows.row_parser import ParsedRows
from pipeline.serving.serving_errors import IdempotencyConflict, LogQueueFull, LogUnavailable
from pipeline.serving.worker import PredictionWorker
from pipeline.state import STATE_URL_ENV, PredictionWriter, open_state
from pipeline.state.tables import predictions
from tests.fixtures.registered_project import batch_body, log_settings, make_rows, row_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.state import State


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """An empty state database in a file."""
    monkeypatch.delenv(STATE_URL_ENV, raising=False)
    opened = open_state(tmp_path)
    yield opened
    opened.close()


class Observer:
    """Notes the rows that the database holds when a batch is reported as committed."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.n_submitted = 0
        self.n_logged: list[int] = []

    def on_submit(self, _request: PendingRequest) -> None:
        self.n_submitted += 1

    def on_commit(
        self, _requests: Sequence[PendingRequest], began_s: float, scored_s: float, committed_s: float
    ) -> None:
        assert began_s <= scored_s <= committed_s
        self.n_logged.append(len(logged_ids(self.state)))


def logged_ids(state: State) -> list[str]:
    with state.reading() as connection:
        return list(connection.execute(select(predictions.c.prediction_id)).scalars())


def make_request(model: LoadedModel, n_rows: int = 1, *, key: str | None = None, digest: str = "") -> PendingRequest:
    features = make_rows(n_rows)
    if n_rows == 1:
        rows = model.parser.parse_row(row_body(features[0]))
    else:
        rows = model.parser.parse_batch(batch_body(features))
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    return PendingRequest(model, rows, "row" if n_rows == 1 else "batch", future, 0, "api", key, digest)


def make_broken_request(model: LoadedModel) -> PendingRequest:
    """Return a request whose row has too few values, which no parser accepts."""
    request = make_request(model)
    request.rows = ParsedRows([(1,)], [0])
    return request


def run_with_worker(
    state: State,
    use: Callable[[PredictionWorker], Awaitable[Any]],
    *,
    observer: Observer | None = None,
    **settings: Any,
) -> Any:
    async def run() -> Any:
        worker = PredictionWorker(PredictionWriter(state), log_settings(**settings), state.clock, observer)
        worker.start(asyncio.get_running_loop())
        try:
            return await use(worker)
        finally:
            worker.flush()
            await asyncio.to_thread(worker.stop)
            await asyncio.sleep(0)

    return asyncio.run(run())


async def submit_all(worker: PredictionWorker, requests: Sequence[PendingRequest]) -> list[Any]:
    for request in requests:
        worker.submit(request)
    return await asyncio.gather(*(request.future for request in requests), return_exceptions=True)


def test_rows_are_in_the_log_when_their_batch_is_reported_and_resolved(state: State, loaded_model: LoadedModel) -> None:
    observer = Observer(state)

    async def use(worker: PredictionWorker) -> int:
        await submit_all(worker, [make_request(loaded_model), make_request(loaded_model, 4)])
        return len(logged_ids(state))

    assert run_with_worker(state, use, observer=observer) == 5
    assert (observer.n_submitted, observer.n_logged) == (2, [5])


def test_requests_of_one_turn_of_the_loop_are_one_batch(state: State, loaded_model: LoadedModel) -> None:
    async def use(worker: PredictionWorker) -> tuple[int, int, int]:
        await submit_all(worker, [make_request(loaded_model) for _ in range(50)])
        return worker.stats.n_batches, worker.stats.n_rows, worker.n_waiting

    assert run_with_worker(state, use) == (1, 50, 0)


def test_statistics_count_rows_classes_and_commits(state: State, loaded_model: LoadedModel) -> None:
    async def use(worker: PredictionWorker) -> PredictionWorker:
        await submit_all(worker, [make_request(loaded_model, 30), make_request(loaded_model)])
        return worker

    stats = run_with_worker(state, use).stats
    assert (stats.n_rows, stats.n_logged, stats.n_unlogged, stats.n_failures) == (31, 31, 0, 0)
    assert stats.by_class["champion"].total() == sum(stats.confidences.counts) == 31
    assert sum(stats.commit_durations_s.counts) == 1


def test_a_request_that_cannot_be_scored_leaves_the_others_intact(state: State, loaded_model: LoadedModel) -> None:
    async def use(worker: PredictionWorker) -> list[Any]:
        requests = [make_request(loaded_model), make_broken_request(loaded_model), make_request(loaded_model, 3)]
        return await submit_all(worker, requests)

    first, broken, last = run_with_worker(state, use)
    assert isinstance(broken, ValueError)
    assert isinstance(first, bytes)
    assert isinstance(last, bytes)
    assert len(logged_ids(state)) == 4


def test_a_full_queue_refuses_a_request_and_accepts_it_later(state: State, loaded_model: LoadedModel) -> None:
    async def use(worker: PredictionWorker) -> None:
        first = make_request(loaded_model, 3)
        worker.submit(first)
        with pytest.raises(LogQueueFull, match="the queue of the log is full \\(3 rows\\); try again"):
            worker.submit(make_request(loaded_model))
        await first.future
        await submit_all(worker, [make_request(loaded_model)])

    run_with_worker(state, use, max_queue_rows=3)
    assert len(logged_ids(state)) == 4


def test_an_idle_worker_accepts_a_request_that_is_larger_than_the_queue(
    state: State, loaded_model: LoadedModel
) -> None:
    run_with_worker(state, lambda worker: submit_all(worker, [make_request(loaded_model, 9)]), max_queue_rows=3)
    assert len(logged_ids(state)) == 9


def test_a_key_returns_its_stored_response_for_the_same_body_only(state: State, loaded_model: LoadedModel) -> None:
    async def use(worker: PredictionWorker) -> list[Any]:
        results = []
        for digest in ("a", "a", "b"):
            results += await submit_all(worker, [make_request(loaded_model, key="k", digest=digest)])
        return results

    first, retry, conflict = run_with_worker(state, use)
    assert first == retry
    assert isinstance(conflict, IdempotencyConflict)
    assert len(logged_ids(state)) == 1


def break_log(state: State) -> None:
    with state.writing() as connection:
        connection.execute(text("DROP TABLE predictions"))


def test_without_a_log_requests_are_refused_until_it_is_back(state: State, loaded_model: LoadedModel) -> None:
    async def use(worker: PredictionWorker) -> bool:
        results = await submit_all(worker, [make_request(loaded_model), make_request(loaded_model, 2)])
        assert [type(result) for result in results] == [LogUnavailable, LogUnavailable]
        assert str(results[0]) == "the prediction log is unavailable, so predictions are refused; try again"
        assert (worker.stats.n_failures, worker.stats.n_rows) == (1, 0)
        return worker.is_failing

    break_log(state)
    assert run_with_worker(state, use, on_log_failure="reject") is True


def test_unlogged_predictions_are_counted_where_they_are_allowed(state: State, loaded_model: LoadedModel) -> None:
    async def use(worker: PredictionWorker) -> tuple[int, int]:
        results = await submit_all(worker, [make_request(loaded_model), make_request(loaded_model, 2)])
        assert all(isinstance(result, bytes) for result in results)
        return worker.stats.n_unlogged, worker.stats.n_logged

    break_log(state)
    assert run_with_worker(state, use, on_log_failure="serve_unlogged") == (3, 0)


@pytest.mark.parametrize(("n_rows", "is_predicted_by_the_loop"), [(256, True), (257, False)])
def test_without_a_log_the_event_loop_predicts_small_batches(
    state: State, loaded_model: LoadedModel, n_rows: int, is_predicted_by_the_loop: bool
) -> None:
    async def use(worker: PredictionWorker) -> bool:
        request = make_request(loaded_model, n_rows)
        worker.submit(request)
        worker.flush()
        is_done = request.future.done()
        await request.future
        return is_done

    assert run_with_worker(state, use, mode="none") is is_predicted_by_the_loop
    assert logged_ids(state) == []


def test_a_cached_row_needs_no_model_unless_it_is_logged(state: State, loaded_model: LoadedModel) -> None:
    async def use(worker: PredictionWorker) -> bool:
        request = make_request(loaded_model)
        await submit_all(worker, [request])
        return worker.predict_cached(loaded_model, request.rows.rows[0]) is not None

    assert run_with_worker(state, use, mode="none") is True
    assert run_with_worker(state, use, mode="durable") is False


def test_a_task_runs_on_the_thread_of_the_worker(state: State, loaded_model: LoadedModel) -> None:
    names: list[str] = []

    async def use(worker: PredictionWorker) -> None:
        await submit_all(worker, [make_request(loaded_model)])
        worker.run_between_batches(lambda _writer: names.append(threading.current_thread().name))

    run_with_worker(state, use)
    assert names == ["prediction-log"]


def test_stopping_completes_the_waiting_requests(state: State, loaded_model: LoadedModel) -> None:
    async def run() -> list[Any]:
        worker = PredictionWorker(PredictionWriter(state), log_settings(), state.clock)
        worker.start(asyncio.get_running_loop())
        requests = [make_request(loaded_model) for _ in range(20)]
        for request in requests:
            worker.submit(request)
        worker.flush()
        await asyncio.to_thread(worker.stop)
        return await asyncio.gather(*(request.future for request in requests))

    assert len(asyncio.run(run())) == len(logged_ids(state)) == 20
