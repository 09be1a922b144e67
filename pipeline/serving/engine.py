"""Predict for requests: each response comes from one model version, and is logged before it is sent."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pipeline.errors import MlopsError
from pipeline.files import exclusive_lock
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.serving.batch_predictor import PendingRequest, batch_from_json
from pipeline.serving.concurrency import run_in_thread_if_large
from pipeline.serving.explanation import explanation_response
from pipeline.serving.outcomes import read_outcomes, store_outcomes
from pipeline.serving.prediction_types import PredictionBatch, Readiness
from pipeline.serving.reloader import ModelReloader
from pipeline.serving.retention import RetentionWorker
from pipeline.serving.rows.row_parser import ParsedRows, parse_json
from pipeline.serving.serving_errors import IdempotencyConflict, InvalidRequest, NotReady, StateUnavailable
from pipeline.serving.what_if import what_if_response
from pipeline.serving.worker import PredictionWorker, ServingStats
from pipeline.state import PredictionWriter, open_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.config.groups.serving_config import EngineConfig, PredictionLogConfig
    from pipeline.serving.batch_predictor import RequestKind, Response
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.prediction_types import LineMap
    from pipeline.serving.worker import RequestObserver
    from pipeline.state import State

__all__ = ["Engine", "load_hash_key"]

OnError = Literal["refuse", "partial"]

_HASH_KEY_BYTES = 32
_MAX_HEADER_LENGTH = 200
_MAX_COMMAS_PER_OUTCOME = 20
# Approximate size of one value in a body.
_VALUE_BYTES = 24


@dataclass(frozen=True, slots=True)
class _StartedEngine:
    """The database, worker, retention and reloader of a started engine."""

    state: State
    worker: PredictionWorker
    retention: RetentionWorker
    reloader: ModelReloader


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

    Attributes
    ----------
    verify : callable, optional
        Set before the start; called with each model before it is served. A model for which it raises is refused.
    observer : RequestObserver, optional
        Set before the start; called when requests are submitted and when they are committed.
    """

    def __init__(
        self, root: Path, model: str, engine: EngineConfig, log: PredictionLogConfig, *, stage: str = "Production"
    ) -> None:
        self.model = model
        self.stage = stage
        self.loaded_model: LoadedModel | None = None
        self.previous_model: LoadedModel | None = None
        self.verify: Callable[[LoadedModel], None] | None = None
        self.observer: RequestObserver | None = None
        self._root = root
        self._config = engine
        self._log_config = log
        self._reason = "the engine was not started"
        self._in_flight: dict[str, tuple[str, asyncio.Future[Response]]] = {}
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
        state = await asyncio.to_thread(open_state, self._root)
        packages = PackageStore(self._root / paths.PACKAGES)
        hash_key = load_hash_key(self._root)
        reloader = ModelReloader(state, packages, self.model, self.stage, self._config, hash_key, self.verify)
        worker = PredictionWorker(PredictionWriter(state), self._log_config, state.clock, self.observer)
        worker.start(asyncio.get_running_loop())
        self._running = _StartedEngine(state, worker, RetentionWorker(state, self._log_config), reloader)
        await self._reload_if_changed(is_forced=True)
        self._follower = asyncio.create_task(self._follow(), name="follow-state")
        self._running.retention.start()

    async def close(self) -> None:
        """Complete the requests in progress and release everything; does nothing before a start or after a close."""
        running, self._running = self._running, None
        if running is None:
            return
        self.loaded_model, self._reason = None, "the engine was closed"
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
    def state(self) -> State:
        """The state database, for the wiring of other readers (API keys, monitor metrics).

        Raises
        ------
        NotReady
            When the engine is not running.
        """
        return self._require_running().state

    async def predict_row(self, body: bytes, *, key: str | None = None, subject: str | None = None) -> bytes:
        """Return the prediction for a body `{"features": {...}}` as JSON.

        Parameters
        ----------
        body : bytes
        key : str, optional
            Idempotency key: a retry with the same body gets the stored response.
        subject : str, optional
            Whom the row is about, so that the rows of a subject can be erased later.

        Raises
        ------
        InvalidRequest
            Naming each wrong field.
        IdempotencyConflict
            When the key belongs to another body.
        NotReady
            When no model is loaded, or the prediction cannot be logged.
        """
        model, worker = self._require_model(), self._require_running().worker
        row = await run_in_thread_if_large(len(body), model.parser.parse_row, body)
        if key is None and subject is None and (cached := worker.predict_cached(model, row)) is not None:
            return cached
        return _to_json(await self._submit(model, ParsedRows([row], [0]), "row", body, key=key, subject=subject))

    async def predict_batch(
        self, body: bytes, *, key: str | None = None, subject: str | None = None, on_error: OnError = "refuse"
    ) -> bytes:
        """Return the predictions for a body `{"instances": [{...}, ...]}` as JSON: one item for each row, in order.

        With `on_error="partial"` the item of an invalid row lists its problems, and valid rows get predictions.
        Raises the errors of `predict_row`.
        """
        model = self._require_model()
        rows = await run_in_thread_if_large(len(body), model.parser.parse_batch, body, partial=on_error == "partial")
        if not rows.rows:
            raise InvalidRequest(rows.errors)
        return _to_json(await self._submit(model, rows, "batch", body, key=key, subject=subject))

    async def predict_columns(
        self,
        columns: Mapping[str, Sequence[Any]],
        *,
        key: str | None = None,
        subject: str | None = None,
        on_error: OnError = "refuse",
        lines: LineMap | None = None,
    ) -> PredictionBatch:
        """Return the predictions for rows given as columns by name, None or NaN for a missing value.

        With `lines` the rows are lines of a text, and problems name the lines. Raises the errors of `predict_row`.
        """
        model = self._require_model()
        size = _VALUE_BYTES * sum(map(len, columns.values()))
        is_partial = on_error == "partial"
        rows = await run_in_thread_if_large(size, model.parser.parse_columns, columns, partial=is_partial, lines=lines)
        if not rows.rows:
            raise InvalidRequest(rows.errors)
        body = b"" if key is None else msgspec.json.encode([rows.positions, rows.rows, rows.errors])
        response = await self._submit(model, rows, "columns", body, key=key, subject=subject)
        return response if isinstance(response, PredictionBatch) else batch_from_json(response, rows)

    async def feedback(self, body: bytes) -> bytes:
        """Store outcomes of earlier predictions: `{"prediction_id": ..., "outcome": ...}`, or `{"outcomes": [...]}`.

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
            n_stored = await asyncio.to_thread(self._store_outcomes, body, model.classes)
        except InvalidRequest:
            raise
        except MlopsError as error:
            raise StateUnavailable("the state database cannot be written; try again", retry_after_s=2) from error
        return json.dumps({"stored": n_stored}).encode()

    async def explain(self, body: bytes) -> bytes:
        """Return the contribution of each feature for a body `{"features": {...}}`; nothing is logged."""
        model = self._require_model()
        return await asyncio.to_thread(lambda: explanation_response(model, model.parser.parse_row(body)))

    async def what_if(self, body: bytes) -> bytes:
        """Return what-if predictions for a body `{"features": {...}}`, one changed feature each; nothing is logged."""
        model = self._require_model()
        return await asyncio.to_thread(lambda: what_if_response(model, model.parser.parse_row(body)))

    async def reload(self) -> LoadedModel:
        """Poll the state database now and return the loaded model.

        Raises
        ------
        NotReady
            When no valid model is loaded.
        """
        await self._reload_if_changed(is_forced=True)
        return self._require_model()

    def ready(self) -> Readiness:
        """Return whether requests can get predictions."""
        running = self._running
        if self.loaded_model is None or running is None:
            return Readiness(is_ready=False, reason=self._reason)
        if running.worker.is_failing and self._log_config.on_log_failure == "reject":
            return Readiness(is_ready=False, reason=f"the log is unavailable: {running.worker.stats.last_error}")
        return Readiness(is_ready=True)

    def status(self) -> dict[str, Any]:
        """Return the state of the engine as plain values, for people and for metrics."""
        readiness, running = self.ready(), self._running
        stats = ServingStats() if running is None else running.worker.stats
        return {
            "model": self.model,
            "stage": self.stage,
            "is_ready": readiness.is_ready,
            "reason": readiness.reason or self._reason,
            "poll_error": self._poll_error,
            "uptime_s": time.time() - self._started_at,
            "active": None if self.loaded_model is None else self.loaded_model.identity,
            "previous": None if self.previous_model is None else self.previous_model.identity,
            "queue_rows": 0 if running is None else running.worker.n_waiting,
            "log": {
                "mode": self._log_config.mode,
                "is_failing": running is not None and running.worker.is_failing,
                "last_error": stats.last_error,
                "commit_duration_s": stats.commit_durations_s.as_dict(),
                "n_logged": stats.n_logged,
                "n_unlogged": stats.n_unlogged,
                "n_batches": stats.n_batches,
                "n_failures": stats.n_failures,
                "retention_error": None if running is None else running.retention.last_error,
            },
            "n_rows": stats.n_rows,
            "by_class": dict(stats.by_class),
            "confidence": stats.confidences.as_dict(),
        }

    def _require_model(self) -> LoadedModel:
        if self.loaded_model is None:
            raise NotReady(self._reason, retry_after_s=5)
        return self.loaded_model

    def _require_running(self) -> _StartedEngine:
        if self._running is None:
            raise NotReady(self._reason, retry_after_s=5)
        return self._running

    async def _submit(
        self,
        loaded_model: LoadedModel,
        rows: ParsedRows,
        kind: RequestKind,
        body: bytes,
        *,
        key: str | None,
        subject: str | None,
    ) -> Response:
        worker = self._require_running().worker
        digest = ""
        if key is not None or subject is not None:
            _check_header_word("Idempotency-Key", key)
            _check_header_word("subject", subject)
            digest = hashlib.sha256(kind.encode() + b"\0" + body).hexdigest()
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        request = PendingRequest(loaded_model, rows, kind, future, time.perf_counter_ns(), key, digest, subject)
        if key is not None:
            return await self._submit_idempotent(worker, request, key)
        worker.submit(request)
        return await future

    async def _submit_idempotent(self, worker: PredictionWorker, request: PendingRequest, key: str) -> Response:
        """Submit a request, or wait for one in progress that has the same key."""
        digest, future = self._in_flight.get(key, ("", request.future))
        if future is request.future:
            worker.submit(request)
            self._in_flight[key] = (request.body_digest, future)
            future.add_done_callback(lambda _: self._in_flight.pop(key, None))
        elif digest != request.body_digest:
            message = "this key belongs to another request; use a new key"
            raise IdempotencyConflict.for_field("Idempotency-Key", "idempotency_key", message)
        return await asyncio.shield(future)

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
            reloader, current = self._require_running().reloader, self.loaded_model
            result = await asyncio.to_thread(reloader.poll, current, is_forced=is_forced)
            if self._running is None:
                return
            self._reason = result.reason
            if result.loaded_model is current:
                return
            if current is not None and (result.loaded_model is None or result.loaded_model.digest != current.digest):
                self.previous_model = current
            self.loaded_model = result.loaded_model
            # A loaded model stays: garbage collections that visit it again cost large batches a third of their time.
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def _store_outcomes(self, body: bytes, classes: Sequence[str]) -> int:
        max_rows = self._config.max_rows
        value = parse_json(body, max_commas=max_rows * _MAX_COMMAS_PER_OUTCOME)
        return store_outcomes(self._require_running().state, read_outcomes(value, classes, max_rows=max_rows))


def _to_json(response: Response) -> bytes:
    return response if isinstance(response, bytes) else response.body


def _check_header_word(header: str, value: str | None) -> None:
    if value is not None and not (0 < len(value) <= _MAX_HEADER_LENGTH and value.isprintable() and value.isascii()):
        raise InvalidRequest.for_field(header, "word", f"expected 1 to {_MAX_HEADER_LENGTH} printable ASCII characters")


def load_hash_key(root: Path) -> bytes:
    """Return the key of the hashes in the log; the first start creates it in the state folder."""
    path = root / paths.LOG_HASH_KEY
    lock = path.with_name(f"{path.name}.lock")
    with exclusive_lock(lock, operation="creating the hash key of the log", wait_s=10):
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(os.urandom(_HASH_KEY_BYTES))
        return path.read_bytes()
