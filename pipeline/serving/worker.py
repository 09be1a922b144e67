"""One thread that predicts for waiting requests and commits their rows to the prediction log, in batches.

A response is delivered after its rows are committed and synced. While one batch is written the next one gathers, so
batches are as large as the load requires, and no request waits for others. Requests that arrive in one turn of the
event loop are queued at its end: waking the thread for each request would make it compete with the loop for the
interpreter. Without a log, the event loop predicts small batches itself, and takes cached rows without the model.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.errors import DependencyUnavailable
from pipeline.serving.batch_predictor import BatchPredictor, CompletedRequest, PendingRequest
from pipeline.serving.request_results import (
    RequestResult,
    count_rows,
    fall_back,
    log_unavailable_error,
    logged_values,
    resolve_futures,
)
from pipeline.serving.serving_errors import IdempotencyConflict, LogQueueFull
from pipeline.serving.serving_stats import ServingStats
from pipeline.state import IdempotencyKeyTaken, PredictionIdTaken, StoredResponse
from pipeline.text import pluralize

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from pipeline.config.groups.serving_config import PredictionLogConfig
    from pipeline.serving.canary_traffic import CanaryTraffic
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.shadow_scorer import ShadowScorer
    from pipeline.state import PredictionWriter

__all__ = ["PredictionWorker", "RequestObserver"]

_MAX_BATCH_ROWS = 20_000
_RETRY_PAUSE_S = 1.0
# Rows that the event loop may predict itself where there is no log.
_MAX_EVENT_LOOP_ROWS = 256


class RequestObserver(Protocol):
    """Receives the progress of requests."""

    def on_submit(self, request: PendingRequest) -> None:
        """Note a submitted request; called on the event loop."""

    def on_commit(
        self, requests: Sequence[PendingRequest], began_s: float, scored_s: float, committed_s: float
    ) -> None:
        """Note a committed batch; called by the worker's thread, with moments of `time.perf_counter`."""


class PredictionWorker:
    """Takes requests from the event loop and resolves their futures on it.

    Parameters
    ----------
    writer : PredictionWriter
        Commits rows; only the worker's thread uses it.
    config : PredictionLogConfig
    now : callable
        Returns the current time in microseconds since 1970, UTC.
    observer : RequestObserver, optional
        Called for each request and each batch.

    Attributes
    ----------
    storage_error : str or None
        The fault of the state database; requests that must be logged are refused while it is set.
    canary : CanaryTraffic or None
        Counts what champion and challenger do; None while no challenger gets requests.
    shadow : ShadowScorer or None
        Scores the challenger of a live trial while no request waits; None without one.
    """

    def __init__(
        self,
        writer: PredictionWriter,
        config: PredictionLogConfig,
        now: Callable[[], int],
        observer: RequestObserver | None = None,
    ) -> None:
        self.stats = ServingStats()
        self.storage_error: str | None = None
        self.canary: CanaryTraffic | None = None
        self.shadow: ShadowScorer | None = None
        self._writer = writer
        self._config = config
        self._now = now
        self._observer = observer
        sample_rate = 0.0 if config.mode == "none" else config.sample_rate
        self._predictor = BatchPredictor(sample_rate=sample_rate, now=now)
        self._queue: SimpleQueue[list[PendingRequest] | Callable[[PredictionWriter], None] | None] = SimpleQueue()
        self._submitted: list[PendingRequest] = []
        self._n_waiting = 0
        self._lock = threading.Lock()
        self._failed_at: float | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def n_waiting(self) -> int:
        """Rows that wait or are in progress."""
        return self._n_waiting

    @property
    def is_failing(self) -> bool:
        """Whether the last batch could not be written, or the state database cannot take the next one."""
        return self._config.mode != "none" and (self._failed_at is not None or self.storage_error is not None)

    @property
    def log_error(self) -> str | None:
        """Why the log is failing; None while it is not."""
        return (self.storage_error or self.stats.last_error) if self.is_failing else None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; futures are resolved on `loop`."""
        self._loop = loop
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Complete the waiting requests, then end the thread; blocks."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def predict_cached(self, loaded_model: LoadedModel, row: tuple[Any, ...]) -> bytes | None:
        """Return the response to a cached row; None where the log or the model is needed."""
        if self._config.mode != "none" or self._observer is not None:
            return None
        completed = self._predictor.predict_cached(loaded_model, row)
        if completed is None:
            return None
        self._update_stats((completed,), n_logged=0)
        return completed.body

    def submit(self, request: PendingRequest) -> None:
        """Queue a request; called on the event loop.

        Raises
        ------
        LogQueueFull
            When too many rows wait already.
        LogUnavailable
            When the row must be logged, and the state database is lost.
        """
        must_log = request.is_logged and self._config.on_log_failure == "reject"
        if must_log and self.storage_error is not None and self.is_failing:
            raise log_unavailable_error()
        n_rows = len(request.rows.rows)
        with self._lock:
            if self._n_waiting and self._n_waiting + n_rows > self._config.max_queue_rows:
                waiting = pluralize(self._n_waiting, "row")
                raise LogQueueFull(f"the queue of the log is full ({waiting}); try again", retry_after_s=1)
            self._n_waiting += n_rows
        if self._observer is not None:
            self._observer.on_submit(request)
        if not self._submitted and self._loop is not None:
            self._loop.call_soon(self.flush)
        self._submitted.append(request)

    def flush(self) -> None:
        """Queue the submitted requests; called on the event loop, by itself at the end of each turn."""
        requests, self._submitted = self._submitted, []
        if not requests:
            return
        n_rows = count_rows(requests)
        # The thread is idle when these are all that wait, so the two never score at once.
        if self._config.mode == "none" and n_rows <= _MAX_EVENT_LOOP_ROWS and n_rows == self._n_waiting:
            results = self._process_safely(requests)
            self._n_waiting -= n_rows
            resolve_futures(requests, results)
        else:
            self._queue.put(requests)

    def check_log(self) -> None:
        """Queue a check of the log: it closes the connection to a lost file, and ends a failure that is over."""
        if self._config.mode != "none":
            self.run_between_batches(self._check_log)

    def run_between_batches(self, task: Callable[[PredictionWriter], None]) -> None:
        """Run a task with the writer between two batches; the task handles its own errors."""
        self._queue.put(task)

    def _check_log(self, writer: PredictionWriter) -> None:
        if self.storage_error is not None:
            # While one connection is open, SQLite uses what it knows of the log for each new one.
            writer.discard_connection()
            return
        writer.close_if_replaced()
        if self._failed_at is None:
            return
        try:
            writer.check_log()
        except DependencyUnavailable as error:
            self.stats.last_error = str(error)
        else:
            self._failed_at = None

    def _run(self) -> None:
        is_open = True
        while is_open:
            requests, tasks, is_open = self._take_batch()
            if requests:
                results = self._process_safely(requests)
                self._deliver_results(requests, results)
                if self.shadow is not None:
                    self.shadow.enqueue(logged_values(requests, results, digest=self.shadow.champion_digest))
            for task in tasks:
                task(self._writer)
        self._writer.close()

    def _take_batch(self) -> tuple[list[PendingRequest], list[Callable[[PredictionWriter], None]], bool]:
        requests: list[PendingRequest] = []
        tasks: list[Callable[[PredictionWriter], None]] = []
        n_rows = 0
        item = self._next_item()
        while True:
            if item is None:
                return requests, tasks, False
            if isinstance(item, list):
                requests += item
                n_rows += count_rows(item)
            else:
                tasks.append(item)
            if n_rows >= _MAX_BATCH_ROWS:
                return requests, tasks, True
            try:
                item = self._queue.get_nowait()
            except Empty:
                return requests, tasks, True

    def _next_item(self) -> list[PendingRequest] | Callable[[PredictionWriter], None] | None:
        """Return the next item of the queue; while there is none, the challenger of a live trial is scored."""
        while (shadow := self.shadow) is not None and shadow.has_work:
            try:
                return self._queue.get(timeout=shadow.patience_s)
            except Empty:
                shadow.work()
        return self._queue.get()

    def _deliver_results(self, requests: list[PendingRequest], results: Sequence[RequestResult]) -> None:
        with self._lock:
            self._n_waiting -= count_rows(requests)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(resolve_futures, requests, results)

    def _process_safely(self, requests: list[PendingRequest]) -> Sequence[RequestResult]:
        """Return a result for each request, whatever happens: a dead thread would leave every request waiting."""
        try:
            return self._process(requests)
        except Exception as error:  # noqa: BLE001 - raised in the requests that wait for it
            self.stats.n_failures += 1
            self.stats.last_error = str(error)
            return [error] * len(requests)

    def _process(self, requests: list[PendingRequest]) -> Sequence[RequestResult]:
        results: Sequence[RequestResult]
        if self._config.mode == "none":
            results, _ = self._score(requests)
            self._update_stats(results, n_logged=0)
            return results
        if self._failed_at is not None and time.monotonic() - self._failed_at < _RETRY_PAUSE_S:
            return self._process_unlogged(requests)
        try:
            results, n_logged = self._score_and_log(requests)
        except DependencyUnavailable as error:
            self._failed_at = time.monotonic()
            self.stats.n_failures += 1
            self.stats.last_error = str(error)
            return self._process_unlogged(requests)
        self._failed_at = None
        self._update_stats(results, n_logged=n_logged)
        return results

    def _score_and_log(self, requests: list[PendingRequest]) -> tuple[Sequence[RequestResult], int]:
        """Return results whose rows are committed; a key that another server took meanwhile is looked up again."""
        while True:
            stored = self._stored_results(requests)
            new_requests = [request for request in requests if id(request) not in stored]
            began = time.perf_counter()
            results, completed = self._score(new_requests)
            rows = [request.logged_row for request in completed if request.logged_row is not None]
            batches = [request.logged_rows for request in completed if request.logged_rows]
            batches = [batch for batch in batches if batch.n_rows]
            responses = self._responses_to_store(new_requests, results)
            n_logged = len(rows) + sum(batch.n_rows for batch in batches)
            if not n_logged and not responses:
                break
            started = time.perf_counter()
            try:
                self._writer.write(rows, responses, batches)
            except (IdempotencyKeyTaken, PredictionIdTaken):
                continue
            ended = time.perf_counter()
            self.stats.commit_durations_s.observe(ended - started)
            if self._observer is not None:
                self._observer.on_commit(new_requests, began, started, ended)
            break
        results_by_id = {
            **stored,
            **{id(request): result for request, result in zip(new_requests, results, strict=True)},
        }
        return [results_by_id[id(request)] for request in requests], n_logged

    def _responses_to_store(
        self, requests: Sequence[PendingRequest], results: Sequence[RequestResult]
    ) -> list[StoredResponse]:
        return [
            StoredResponse(
                request.idempotency_key, self._now(), request.body_digest, result.body.decode(), request.subject
            )
            for request, result in zip(requests, results, strict=True)
            if request.idempotency_key is not None and isinstance(result, CompletedRequest)
        ]

    def _stored_results(self, requests: list[PendingRequest]) -> dict[int, RequestResult]:
        keys = [request.idempotency_key for request in requests if request.idempotency_key is not None]
        if not keys:
            return {}
        responses = self._writer.read_responses(keys)
        results: dict[int, RequestResult] = {}
        for request in requests:
            response = responses.get(request.idempotency_key) if request.idempotency_key is not None else None
            if response is None:
                continue
            if response.request_digest == request.body_digest:
                results[id(request)] = CompletedRequest(response.response.encode())
            else:
                message = "this key belongs to another request; a retry sends the same body, a new request a new key"
                error = IdempotencyConflict.for_field("Idempotency-Key", "idempotency_key", message)
                results[id(request)] = error
        return results

    def _score(self, requests: list[PendingRequest]) -> tuple[list[RequestResult], list[CompletedRequest]]:
        """Return a result for each request, and the completed ones; a request that fails leaves the others intact."""
        canary = self.canary
        results = self._score_group(requests) if canary is None else self._score_by_variant(requests, canary)
        return results, [result for result in results if isinstance(result, CompletedRequest)]

    def _score_by_variant(self, requests: list[PendingRequest], canary: CanaryTraffic) -> list[RequestResult]:
        """Score champion and challenger one after the other, so that neither counts in the duration of the other."""
        results_by_id: dict[int, RequestResult] = {}
        for variant in ("champion", "challenger"):
            group = [request for request in requests if request.loaded_model.variant == variant]
            if not group:
                continue
            models = [request.loaded_model for request in group]
            began = time.perf_counter()
            results = self._score_group(group)
            duration_s = time.perf_counter() - began
            done = [request for request, model in zip(group, models, strict=True) if request.loaded_model is model]
            if done:
                canary.observe(variant, n_requests=len(done), n_predictions=count_rows(done), duration_s=duration_s)
            results_by_id |= {id(request): result for request, result in zip(group, results, strict=True)}
        return [results_by_id[id(request)] for request in requests]

    def _score_group(self, requests: list[PendingRequest]) -> list[RequestResult]:
        if not requests:
            return []
        try:
            return list(self._predictor.predict(requests))
        except Exception as error:  # noqa: BLE001 - raised in the request that waits for it
            if len(requests) > 1:
                return [result for request in requests for result in self._score_group([request])]
            uses_champion, error = fall_back(requests[0], error)
            return self._score_group(requests) if uses_champion else [error]

    def _process_unlogged(self, requests: list[PendingRequest]) -> Sequence[RequestResult]:
        serves_all = self._config.on_log_failure == "serve_unlogged"
        served = [request for request in requests if serves_all or not request.is_logged]
        results, completed = self._score(served)
        for result in completed:  # the log does not have their rows
            result.logged_row, result.logged_rows = None, None
        self.stats.n_unlogged += count_rows([request for request in served if request.is_logged])
        self._update_stats(results, n_logged=0)
        result_by_id = {id(request): result for request, result in zip(served, results, strict=True)}
        return [result_by_id.get(id(request), log_unavailable_error()) for request in requests]

    def _update_stats(self, results: Sequence[RequestResult], *, n_logged: int) -> None:
        stats = self.stats
        stats.n_batches += 1
        stats.n_logged += n_logged
        for result in results:
            if isinstance(result, CompletedRequest) and not result.is_counted:
                stats.n_opted_out += len(result.labels)
            elif isinstance(result, CompletedRequest):
                stats.n_rows += len(result.labels)
                stats.by_class[result.variant].update(result.labels)
                stats.confidences.observe_all(result.confidences)
