"""Predict for requests: each response comes from one model version, and is logged before it is sent."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import MlopsError
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.serving.batch_predictor import batch_from_json
from pipeline.serving.concurrency import run_in_thread_if_large
from pipeline.serving.explanation import explanation_response
from pipeline.serving.heap import release_free_memory
from pipeline.serving.line_up import AssignedRows, assign_rows
from pipeline.serving.line_up_follower import LineUpFollower
from pipeline.serving.log_hash_key import load_hash_key
from pipeline.serving.log_options import LOGGED, LogOptions, encode_columns
from pipeline.serving.outcomes import read_outcomes, store_outcomes
from pipeline.serving.prediction_types import PredictionBatch, Readiness
from pipeline.serving.reloader import ModelReloader, PollResult
from pipeline.serving.request_submission import RequestSubmitter
from pipeline.serving.retention import RetentionWorker
from pipeline.serving.rows.row_parser import parse_json
from pipeline.serving.serving_errors import InvalidRequest, NotReady, StateUnavailable
from pipeline.serving.serving_stats import ServingStats
from pipeline.serving.storage_watch import StorageWatch
from pipeline.serving.what_if import what_if_response
from pipeline.serving.worker import PredictionWorker
from pipeline.state import PredictionWriter, open_state, utc_now_us
from pipeline.state.database_file import close_on_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.config.groups.monitoring_config import PredictionSource
    from pipeline.config.groups.serving_config import EngineConfig, PredictionLogConfig
    from pipeline.serving.batch_predictor import Response
    from pipeline.serving.line_up import LineUp
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.prediction_types import LineMap
    from pipeline.serving.worker import RequestObserver
    from pipeline.state import State

__all__ = ["Engine"]

OnError = Literal["refuse", "partial"]

_LOG_UNAVAILABLE_REASON = "the prediction log is unavailable; the log of the server has the reason"
_MAX_COMMAS_PER_OUTCOME = 20
# Approximate size of one value in a body.
_VALUE_BYTES = 24


@dataclass(frozen=True, slots=True)
class _StartedEngine:
    """The database of a started engine, and what works with it."""

    state: State
    worker: PredictionWorker
    retention: RetentionWorker
    follower: LineUpFollower
    storage_watch: StorageWatch
    submitter: RequestSubmitter


class Engine:
    """Serves one model of the project at `root`.

    All methods but the constructor belong to one event loop.

    Parameters
    ----------
    root : Path
        Folder of the project, with its packages and its state database (unless MLOPS_STATE_URL names another).
    model : str
        Name in the registry.
    engine : EngineConfig
    log : PredictionLogConfig
        Both are sections of group `serving`.
    stage : str
        Stage whose version is served.
    source : PredictionSource
        Source that the log records of a request without one.

    Attributes
    ----------
    verify : callable, optional
        Set before the start; called with each model before it is served. A model for which it raises is refused.
    observer : RequestObserver, optional
        Set before the start; called when requests are submitted and when they are committed.
    on_readiness_change : callable, optional
        Set before the start; called with each readiness that differs from the one before.
    clock : callable
        Set before the start; returns the moment of a prediction in microseconds since 1970, UTC.
    """

    def __init__(
        self,
        root: Path,
        model: str,
        engine: EngineConfig,
        log: PredictionLogConfig,
        *,
        stage: str = "Production",
        source: PredictionSource = "api",
    ) -> None:
        self.model = model
        self.stage = stage
        self.source = source
        self.previous_model: LoadedModel | None = None
        self.verify: Callable[[LoadedModel], None] | None = None
        self.observer: RequestObserver | None = None
        self.on_readiness_change: Callable[[Readiness], None] | None = None
        self.clock: Callable[[], int] = utc_now_us
        self._root = root
        self._config = engine
        self._log_config = log
        self._poll_result = PollResult(None, "the engine was not started")
        self._last_readiness = Readiness(is_ready=False)
        self._line_up: LineUp | None = None
        self._started_at = time.time()
        self._poll_error: str | None = None
        self._follower: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._running: _StartedEngine | None = None

    async def start(self) -> None:
        """Open the state database and load the deployed model; without a valid model the engine runs and is not ready.

        Raises
        ------
        Conflict
            When the tables of the database have another schema version.
        DependencyUnavailable
            When the database is unavailable.
        """
        state = await asyncio.to_thread(open_state, self._root, clock=self.clock)
        with close_on_error(state):
            hash_key = load_hash_key(self._root)
        packages = PackageStore(self._root / paths.PACKAGES)
        reloader = ModelReloader(state, packages, self.model, self.stage, self._config, hash_key, self.verify)
        worker = PredictionWorker(PredictionWriter(state), self._log_config, state.clock, self.observer)
        worker.start(asyncio.get_running_loop())
        watch = StorageWatch(state, worker, self._report_readiness)
        self._running = _StartedEngine(
            state,
            worker,
            RetentionWorker(state, self._log_config),
            LineUpFollower(state, reloader, self._log_config.max_queue_rows // 10),
            watch,
            RequestSubmitter(worker, self.model, hash_key, self.source),
        )
        await self._reload_if_changed(is_forced=True)
        self._follower = asyncio.create_task(self._follow(), name="follow-state")
        self._running.retention.start()
        watch.start()

    async def close(self) -> None:
        """Complete the requests in progress and release everything; does nothing before a start or after a close."""
        running, self._running = self._running, None
        if running is None:
            return
        self._line_up, self._poll_result = None, PollResult(None, "the engine was closed")
        await running.storage_watch.stop()
        if self._follower is not None:
            async with self._lock:  # a poll in progress ends first: its thread would leave a connection open
                self._follower.cancel()
                with suppress(asyncio.CancelledError):
                    await self._follower
            self._follower = None
            await asyncio.to_thread(running.retention.stop)
        running.worker.flush()
        await asyncio.to_thread(running.worker.stop)
        await asyncio.sleep(0)  # responses of the worker's last call reach their requests
        running.state.close()

    @property
    def loaded_model(self) -> LoadedModel | None:
        """The champion; None while no valid model is loaded."""
        return None if self._line_up is None else self._line_up.champion

    @property
    def state(self) -> State:
        """The state database, for the wiring of other readers (API keys, monitor metrics).

        Raises
        ------
        NotReady
            When the engine is not running.
        """
        return self._require_running().state

    async def predict_row(self, body: bytes, options: LogOptions = LOGGED) -> bytes:
        """Return the prediction for a body `{"features": {...}}` as JSON, logged by `options`.

        Raises
        ------
        InvalidRequest
            Naming each wrong field.
        IdempotencyConflict
            When the key belongs to another body.
        NotReady
            When no model is loaded, or the prediction cannot be logged.
        """
        line_up, running = self._require_line_up(), self._require_running()
        if line_up.challenger is None:
            model = line_up.champion
            rows = await run_in_thread_if_large(len(body), model.parser.parse_row, body)
            is_plain = options is LOGGED and not rows.ids
            if is_plain and (cached := running.worker.predict_cached(model, rows.rows[0])) is not None:
                return cached
            assigned = AssignedRows(model, rows)
        else:
            assigned = await assign_rows(line_up, lambda parser: parser.parse_row(body), len(body), options)
        return _to_json(await running.submitter.submit(assigned, "row", body, options))

    async def predict_batch(self, body: bytes, options: LogOptions = LOGGED, *, on_error: OnError = "refuse") -> bytes:
        """Return the predictions for a body `{"instances": [{...}, ...]}` as JSON: one item for each row, in order.

        With `on_error="partial"` the item of an invalid row lists its problems, and valid rows get predictions.
        Raises the errors of `predict_row`.
        """
        is_partial = on_error == "partial"
        assigned = await assign_rows(
            self._require_line_up(), lambda parser: parser.parse_batch(body, partial=is_partial), len(body), options
        )
        if not assigned.rows.rows:
            raise InvalidRequest(assigned.rows.errors)
        return _to_json(await self._require_running().submitter.submit(assigned, "batch", body, options))

    async def predict_columns(
        self,
        columns: Mapping[str, Sequence[Any]],
        options: LogOptions = LOGGED,
        *,
        on_error: OnError = "refuse",
        lines: LineMap | None = None,
        is_pinned: bool = False,
    ) -> PredictionBatch:
        """Return the predictions for rows given as columns by name, None or NaN for a missing value.

        With `lines` the rows are lines of a text, and problems name the lines. With `is_pinned` no challenger predicts.
        Raises the errors of `predict_row`.
        """
        is_partial = on_error == "partial"
        assigned = await assign_rows(
            self._require_line_up(),
            lambda parser: parser.parse_columns(columns, partial=is_partial, lines=lines),
            _VALUE_BYTES * sum(map(len, columns.values())),
            options,
            is_pinned=is_pinned,
        )
        rows = assigned.rows
        if not rows.rows:
            raise InvalidRequest(rows.errors)
        body = b"" if options.key is None else encode_columns(columns)
        response = await self._require_running().submitter.submit(assigned, "columns", body, options)
        return response if isinstance(response, PredictionBatch) else batch_from_json(response, rows)

    async def feedback(self, body: bytes, *, caller: str = "") -> bytes:
        """Store outcomes that an authenticated `caller` sent: one `{"prediction_id": ..., "outcome": ...}`, or many.

        Raises
        ------
        InvalidRequest
            When a field is wrong.
        UnknownPrediction
            When a prediction is not in the log.
        NotReady
            When no model is loaded, or the state database cannot be written.
        """
        model = self._require_model()
        try:
            n_stored = await asyncio.to_thread(self._store_outcomes, body, model.classes, caller)
        except InvalidRequest:
            raise
        except MlopsError as error:
            raise StateUnavailable("the state database cannot be written; try again", retry_after_s=2) from error
        return json.dumps({"stored": n_stored}).encode()

    async def explain(self, body: bytes) -> bytes:
        """Return the contribution of each feature for a body `{"features": {...}}`; nothing is logged."""
        model = self._require_model()
        return await asyncio.to_thread(lambda: explanation_response(model, model.parser.parse_row(body).rows[0]))

    async def what_if(self, body: bytes) -> bytes:
        """Return what-if predictions for a body `{"features": {...}}`, one changed feature each; nothing is logged."""
        model = self._require_model()
        return await asyncio.to_thread(lambda: what_if_response(model, model.parser.parse_row(body).rows[0]))

    async def reload(self) -> LoadedModel:
        """Poll the state database now and return the loaded model; NotReady without a valid one."""
        await self._reload_if_changed(is_forced=True)
        return self._require_model()

    def ready(self) -> Readiness:
        """Return whether requests can get predictions."""
        running = self._running
        if self.loaded_model is None or running is None:
            return Readiness(is_ready=False, reason=self._poll_result.reason, detail=self._poll_result.detail)
        error = running.worker.log_error
        if error is not None and self._log_config.on_log_failure == "reject":
            return Readiness(is_ready=False, reason=_LOG_UNAVAILABLE_REASON, detail=error)
        return Readiness(is_ready=True)

    def status(self) -> dict[str, Any]:
        """Return the state of the engine as plain values, for people and for metrics."""
        readiness, running, line_up = self.ready(), self._running, self._line_up
        challenger = None if line_up is None else line_up.challenger
        stats = ServingStats() if running is None else running.worker.stats
        return {
            "model": self.model,
            "stage": self.stage,
            "is_ready": readiness.is_ready,
            "reason": readiness.detail or readiness.reason or self._poll_result.detail,
            "poll_error": self._poll_error or (None if running is None else running.follower.error),
            "uptime_s": time.time() - self._started_at,
            "active": None if line_up is None else line_up.champion.identity,
            "previous": None if self.previous_model is None else self.previous_model.identity,
            "trial": None if challenger is None else challenger.status(),
            "live_trial": None if running is None else running.follower.shadow_status(line_up),
            "queue_rows": 0 if running is None else running.worker.n_waiting,
            "log": {
                "mode": self._log_config.mode,
                "is_failing": running is not None and running.worker.is_failing,
                **stats.log_counts(),
                "retention_error": None if running is None else running.retention.last_error,
            },
            "n_rows": stats.n_rows,
            "by_class": {variant: dict(counts) for variant, counts in stats.by_class.items()},
            "confidence": stats.confidences.as_dict(),
        }

    def _require_line_up(self) -> LineUp:
        if self._line_up is None:
            raise NotReady(self._poll_result.reason, retry_after_s=5)
        return self._line_up

    def _require_model(self) -> LoadedModel:
        return self._require_line_up().champion

    def _require_running(self) -> _StartedEngine:
        if self._running is None:
            raise NotReady(self._poll_result.reason, retry_after_s=5)
        return self._running

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._config.poll_interval_s)
            try:
                await self._reload_if_changed()
                self._poll_error = None
            except Exception as error:  # noqa: BLE001 - the loaded model keeps serving, and the next poll follows
                self._poll_error = str(error)

    async def _reload_if_changed(self, *, is_forced: bool = False) -> None:
        async with self._lock:
            running, current = self._require_running(), self._line_up
            result, line_up = await asyncio.to_thread(running.follower.poll, current, is_forced=is_forced)
            if self._running is None:
                return
            self._poll_result = result
            if line_up is current:
                return
            if current is not None and (line_up is None or line_up.champion.digest != current.champion.digest):
                self.previous_model = current.champion
            self._line_up = line_up
            challenger = None if line_up is None else line_up.challenger
            running.worker.canary = None if challenger is None else challenger.traffic
            running.worker.shadow = None if line_up is None else line_up.shadow
            # A loaded model stays: garbage collections that visit it again cost large batches a third of their time.
            if current is not None:
                gc.unfreeze()  # the model before may be garbage
            gc.collect()
            gc.freeze()
            await asyncio.to_thread(release_free_memory)

    def _report_readiness(self) -> None:
        readiness, previous = self.ready(), self._last_readiness
        self._last_readiness = readiness
        if self.on_readiness_change is not None and readiness != previous:
            self.on_readiness_change(readiness)

    def _store_outcomes(self, body: bytes, classes: Sequence[str], caller: str) -> int:
        max_rows = self._config.max_rows
        value = parse_json(body, max_commas=max_rows * _MAX_COMMAS_PER_OUTCOME)
        outcomes = read_outcomes(value, classes, max_rows=max_rows)
        return store_outcomes(self._require_running().state, outcomes, caller=caller)


def _to_json(response: Response) -> bytes:
    return response if isinstance(response, bytes) else response.body
