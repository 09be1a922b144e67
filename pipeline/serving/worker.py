"""The one thread that predicts and writes the log: whatever requests wait are answered and committed together.

An answer is handed out when its rows are committed and synced. While a group is on its way to the disk the
next one gathers, so the groups are as large as the load asks for, and nobody waits for company. What arrives in one
turn of the event loop is handed over at its end: a thread that is woken for each request would fight the loop for
the interpreter. Without a log, small groups are answered by the loop itself, and a row that came before at once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.errors import DependencyUnavailable
from pipeline.serving.batch_predictor import BatchPredictor, CompletedRequest, PendingRequest
from pipeline.serving.prediction_types import FieldError, InvalidRequest, NotReady
from pipeline.state import IdempotencyKeyTaken, StoredResponse
from pipeline.text import pluralize

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from pipeline.config.groups.serving_config import PredictionLogConfig
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.state import PredictionWriter

__all__ = ["PredictionWorker", "RequestObserver", "ServingStats"]

_MAX_BATCH_ROWS = 20_000
_RETRY_PAUSE_S = 1.0
# Rows without a log that may hold up the event loop, once and not beside others.
_MAX_EVENT_LOOP_ROWS = 256
# Values that are counted sooner than they are made an array.
_MAX_UNVECTORIZED = 20

RequestResult = CompletedRequest | BaseException


@dataclass
class ServingStats:
    """What was done since the start, for those who watch."""

    n_rows: int = 0
    n_logged: int = 0
    n_unlogged: int = 0
    n_batches: int = 0
    n_failures: int = 0
    by_class: Counter[str] = field(default_factory=Counter)
    # Rows by confidence: in [0, 0.1), [0.1, 0.2) ... [0.9, 1].
    by_confidence: list[int] = field(default_factory=lambda: [0] * 10)
    last_commit_s: float = 0.0
    last_error: str | None = None


class RequestObserver(Protocol):
    """Somebody who wants to know what becomes of requests."""

    def submitted(self, request: PendingRequest) -> None:
        """Hear of a request that was handed over; called on the event loop."""

    def committed(
        self, requests: Sequence[PendingRequest], began_s: float, scored_s: float, committed_s: float
    ) -> None:
        """Hear of a group on the disk; called by the writer's thread, moments are those of `time.perf_counter`."""


class PredictionWorker:
    """Takes requests from the event loop and gives their answers back to it.

    Parameters
    ----------
    journal : Journal
        Where rows are committed; used by the writer's thread alone.
    config : LogConfig
    now : callable
        Returns the moment in microseconds since 1970, UTC.
    watch : Watch, optional
        Is told of each request and each group.
    """

    def __init__(
        self,
        writer: PredictionWriter,
        config: PredictionLogConfig,
        now: Callable[[], int],
        observer: RequestObserver | None = None,
    ) -> None:
        self.stats = ServingStats()
        self._writer = writer
        self._config = config
        self._now = now
        self._observer = observer
        self._predictor = BatchPredictor(sample=0.0 if config.mode == "none" else config.sample)
        self._queue: SimpleQueue[list[PendingRequest] | Callable[[PredictionWriter], None] | None] = SimpleQueue()
        self._submitted: list[PendingRequest] = []
        self._n_waiting = 0
        self._lock = threading.Lock()
        self._failed_at: float | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def n_waiting(self) -> int:
        """Rows that wait or are being written."""
        return self._n_waiting

    @property
    def is_failing(self) -> bool:
        """Whether the last group could not be written."""
        return self._failed_at is not None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; answers are given back on `loop`."""
        self._loop = loop
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then end the thread; blocks."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def predict_cached(self, loaded_model: LoadedModel, row: tuple[Any, ...]) -> bytes | None:
        """Return the answer to a row, for which neither log nor model is needed; None where either is."""
        if self._config.mode != "none" or self._observer is not None:
            return None
        answered = self._predictor.predict_cached(loaded_model, row)
        if answered is None:
            return None
        self._update_stats((answered,), n_logged=0)
        return answered.body

    def submit(self, request: PendingRequest) -> None:
        """Queue a request; called on the event loop.

        Raises
        ------
        NotReady
            When too many rows wait already.
        """
        n_rows = len(request.rows.rows)
        with self._lock:
            if self._n_waiting and self._n_waiting + n_rows > self._config.queue_rows:
                said = f"{pluralize(self._n_waiting, 'row')} wait to be logged, and no more are taken; try again"
                raise NotReady(said, retry_after_s=1)
            self._n_waiting += n_rows
        if self._observer is not None:
            self._observer.submitted(request)
        if not self._submitted and self._loop is not None:
            self._loop.call_soon(self.flush)
        self._submitted.append(request)

    def flush(self) -> None:
        """Pass on what was submitted; called on the event loop, by itself at the end of each turn."""
        works, self._submitted = self._submitted, []
        if not works:
            return
        n_rows = sum(len(work.rows.rows) for work in works)
        # The thread has nothing to do when these are all that wait, so that the two never score at once.
        if self._config.mode == "none" and n_rows <= _MAX_EVENT_LOOP_ROWS and n_rows == self._n_waiting:
            outcomes = self._process_safely(works)
            self._n_waiting -= n_rows
            _resolve_futures(works, outcomes)
        else:
            self._queue.put(works)

    def run_between_batches(self, task: Callable[[PredictionWriter], None]) -> None:
        """Run something with the journal between two groups; it looks after its own errors."""
        self._queue.put(task)

    def _run(self) -> None:
        is_open = True
        while is_open:
            works, tasks, is_open = self._take_batch()
            if works:
                self._deliver_results(works, self._process_safely(works))
            for task in tasks:
                task(self._writer)
        self._writer.close()

    def _take_batch(self) -> tuple[list[PendingRequest], list[Callable[[PredictionWriter], None]], bool]:
        works: list[PendingRequest] = []
        tasks: list[Callable[[PredictionWriter], None]] = []
        n_rows = 0
        item = self._queue.get()
        while True:
            if item is None:
                return works, tasks, False
            if isinstance(item, list):
                works += item
                n_rows += sum(len(work.rows.rows) for work in item)
            else:
                tasks.append(item)
            if n_rows >= _MAX_BATCH_ROWS:
                return works, tasks, True
            try:
                item = self._queue.get_nowait()
            except Empty:
                return works, tasks, True

    def _deliver_results(self, requests: list[PendingRequest], results: Sequence[RequestResult]) -> None:
        with self._lock:
            self._n_waiting -= sum(len(work.rows.rows) for work in requests)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_resolve_futures, requests, results)

    def _process_safely(self, requests: list[PendingRequest]) -> Sequence[RequestResult]:
        """Return an outcome for each request, whatever happens: without this thread nobody would be answered."""
        try:
            return self._process(requests)
        except Exception as error:  # noqa: BLE001 - handed to those who wait for it
            self.stats.n_failures += 1
            self.stats.last_error = str(error)
            return [error] * len(requests)

    def _process(self, requests: list[PendingRequest]) -> Sequence[RequestResult]:
        outcomes: Sequence[RequestResult]
        if self._config.mode == "none":
            outcomes, _ = self._score(requests)
            self._update_stats(outcomes, n_logged=0)
            return outcomes
        if self._failed_at is not None and time.monotonic() - self._failed_at < _RETRY_PAUSE_S:
            return self._process_unlogged(requests)
        try:
            outcomes, n_logged = self._score_and_log(requests)
        except DependencyUnavailable as error:
            self._failed_at = time.monotonic()
            self.stats.n_failures += 1
            self.stats.last_error = str(error)
            return self._process_unlogged(requests)
        self._failed_at = None
        self._update_stats(outcomes, n_logged=n_logged)
        return outcomes

    def _score_and_log(self, requests: list[PendingRequest]) -> tuple[Sequence[RequestResult], int]:
        """Return answers whose rows are on the disk; a key that another server took in between is looked up again."""
        while True:
            known = self._stored_results(requests)
            fresh = [work for work in requests if id(work) not in known]
            began = time.perf_counter()
            scored, kept = self._score(fresh)
            rows = [one.logged_row for one in kept if one.logged_row is not None]
            groups = [one.logged_rows for one in kept if one.logged_rows is not None and one.logged_rows.n_rows]
            answers = [
                StoredResponse(work.idempotency_key, self._now(), work.body_digest, one.body.decode(), work.subject)
                for work, one in zip(fresh, scored, strict=True)
                if work.idempotency_key is not None and isinstance(one, CompletedRequest)
            ]
            n_logged = len(rows) + sum(group.n_rows for group in groups)
            if not n_logged and not answers:
                break
            started = time.perf_counter()
            try:
                self._writer.write(rows, answers, groups)
            except IdempotencyKeyTaken:
                continue
            ended = time.perf_counter()
            self.stats.last_commit_s = ended - started
            if self._observer is not None:
                self._observer.committed(fresh, began, started, ended)
            break
        found = {**known, **{id(work): one for work, one in zip(fresh, scored, strict=True)}}
        return [found[id(work)] for work in requests], n_logged

    def _stored_results(self, requests: list[PendingRequest]) -> dict[int, RequestResult]:
        keys = [work.idempotency_key for work in requests if work.idempotency_key is not None]
        if not keys:
            return {}
        stored = self._writer.read_responses(keys)
        found: dict[int, RequestResult] = {}
        for work in requests:
            answer = stored.get(work.idempotency_key) if work.idempotency_key is not None else None
            if answer is None:
                continue
            if answer.request == work.body_digest:
                found[id(work)] = CompletedRequest(answer.answer.encode())
            else:
                said = "this key belongs to another request; a retry sends the same body, a new request a new key"
                found[id(work)] = InvalidRequest(422, [FieldError("Idempotency-Key", "idempotency_key", said)])
        return found

    def _score(self, requests: list[PendingRequest]) -> tuple[list[RequestResult], list[CompletedRequest]]:
        """Return an outcome for each request, and those that are answers; one that cannot be scored spoils no other."""
        if not requests:
            return [], []
        try:
            answered = self._predictor.predict(requests)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for it
            if len(requests) == 1:
                return [error], []
            alone = [self._score([work]) for work in requests]
            return [one for outcomes, _ in alone for one in outcomes], [one for _, kept in alone for one in kept]
        return list(answered), answered

    def _process_unlogged(self, requests: list[PendingRequest]) -> Sequence[RequestResult]:
        if self._config.on_log_failure == "serve_unlogged":
            outcomes, _ = self._score(requests)
            n_rows = sum(len(work.rows.rows) for work in requests)
            self.stats.n_unlogged += n_rows
            self._update_stats(outcomes, n_logged=0)
            return outcomes
        said = "predictions cannot be logged now, and none is given that is not; try again"
        return [NotReady(said, retry_after_s=2)] * len(requests)

    def _update_stats(self, results: Sequence[RequestResult], *, n_logged: int) -> None:
        tally = self.stats
        tally.n_batches += 1
        tally.n_logged += n_logged
        for one in results:
            if isinstance(one, CompletedRequest):
                tally.n_rows += len(one.labels)
                tally.by_class.update(one.labels)
                _count_confidences(one.confidences, tally.by_confidence)


def _count_confidences(confidences: Sequence[float], counts: list[int]) -> None:
    if len(confidences) <= _MAX_UNVECTORIZED:
        for confidence in confidences:
            counts[min(int(confidence * 10), 9)] += 1
        return
    tenths = np.minimum((np.array(confidences) * 10).astype(np.intp), 9)
    counts[:] = [count + more for count, more in zip(counts, np.bincount(tenths, minlength=10).tolist(), strict=True)]


def _resolve_futures(requests: Sequence[PendingRequest], results: Sequence[Any]) -> None:
    for work, outcome in zip(requests, results, strict=True):
        if work.future.done():
            continue
        if isinstance(outcome, CompletedRequest):
            work.future.set_result(outcome.response)
        else:
            work.future.set_exception(outcome)
