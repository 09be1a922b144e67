"""The engine behind the API: bodies in, answers out, each from one bundle and each on the disk before it is told."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import MlopsError
from pipeline.files import exclusive_lock
from pipeline.package import PackageStore
from pipeline.serving.batch_predictor import PendingRequest
from pipeline.serving.concurrency import run_in_thread_if_large
from pipeline.serving.explain import explain
from pipeline.serving.outcomes import read_outcomes, store_outcomes
from pipeline.serving.prediction_types import FieldError, InvalidRequest, NotReady, PredictionBatch, Readiness
from pipeline.serving.reloader import ModelReloader
from pipeline.serving.retention import RetentionWorker
from pipeline.serving.rows.json_rows import ParsedRows, parse_json
from pipeline.serving.what_if import what_if_response
from pipeline.serving.worker import PredictionWorker
from pipeline.state import PredictionWriter, open_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.config.groups.serving_config import EngineConfig, PredictionLogConfig
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.prediction_types import LineMap
    from pipeline.serving.reloader import PollResult
    from pipeline.serving.worker import RequestObserver
    from pipeline.state import State

__all__ = ["Engine", "load_hash_key"]

OnError = Literal["refuse", "partial"]

_PACKAGES_FOLDER = "state/packages"
_HASH_KEY_PATH = "state/log.key"
_MAX_HEADER_LENGTH = 200
_MAX_COMMAS_PER_OUTCOME = 20
# What a value of a column is in a body, roughly.
_VALUE_BYTES = 24


class Engine:
    """Serves one model of the project at `root`; all methods but the constructor belong to one event loop.

    Parameters
    ----------
    root : Path
        Folder of the project, with its state database (unless MLOPS_STATE_URL names another) and packages.
    model : str
        Name in the registry.
    engine, log : EngineConfig, LogConfig
        The sections of group `serving`.
    stage : str
        Which stage serves.

    `prove`, set before the start, is shown each bundle before it serves; what it raises keeps the bundle out.
    `watch`, set before the start, is told when requests are handed to the log and when they are on the disk.
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
        self._in_flight: dict[str, tuple[str, asyncio.Future[Any]]] = {}
        self._started_at = time.time()
        self._follow_error: str | None = None
        self._follower: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._state: State
        self._worker: PredictionWorker
        self._retention: RetentionWorker
        self._reloader: ModelReloader

    async def start(self) -> None:
        """Open the state database and take up what serves; without a sound model the engine runs and is not ready.

        Raises
        ------
        Conflict
            When the tables of the database are of another form.
        DependencyUnavailable
            When the database cannot be had.
        """
        self._state = await asyncio.to_thread(open_state, self._root)
        packages = PackageStore(self._root / _PACKAGES_FOLDER)
        secret = load_hash_key(self._root)
        self._reloader = ModelReloader(self._state, packages, self.model, self.stage, self._config, secret, self.verify)
        self._worker = PredictionWorker(
            PredictionWriter(self._state), self._log_config, self._state.clock, self.observer
        )
        self._worker.start(asyncio.get_running_loop())
        self._retention = RetentionWorker(self._state, self._log_config)
        await self._reload_if_changed(is_forced=True)
        self._follower = asyncio.create_task(self._follow(), name="follow-state")
        self._retention.start()

    async def close(self) -> None:
        """Answer what is on its way, then let go of everything."""
        if self._follower is not None:
            async with self._lock:  # a look that is under way ends first: its thread would keep a connection open
                self._follower.cancel()
                with suppress(asyncio.CancelledError):
                    await self._follower
            self._follower = None
            await asyncio.to_thread(self._retention.stop)
        self._worker.flush()
        await asyncio.to_thread(self._worker.stop)
        await asyncio.sleep(0)  # answers that were handed over by the writer's last call reach their requests
        self._reason = "the engine was closed"
        self.loaded_model = None
        self._state.close()

    @property
    def state(self) -> State:
        """The state database, for what stands beside predictions (keys of callers, events)."""
        return self._state

    async def predict_row(self, body: bytes, *, key: str | None = None, subject: str | None = None) -> bytes:
        """Answer a body `{"features": {...}}` as JSON.

        Parameters
        ----------
        body : bytes
        key : str, optional
            Idempotency key: a retry with the same body gets the stored answer.
        subject : str, optional
            Whom the row is about, so that its rows can be erased later.

        Raises
        ------
        BodyRefused
            Naming each wrong field; or when the key belongs to another body.
        NotReady
            When no model serves, or the answer cannot be logged.
        """
        bundle = self._require_model()
        row = await run_in_thread_if_large(len(body), bundle.parser.parse_row, body)
        if key is None and subject is None and (known := self._worker.predict_cached(bundle, row)) is not None:
            return known
        answer: bytes = await self._submit(bundle, ParsedRows([row], [0]), "one", body, key, subject)
        return answer

    async def predict_batch(
        self, body: bytes, *, key: str | None = None, subject: str | None = None, on_error: OnError = "refuse"
    ) -> bytes:
        """Answer a body `{"instances": [{...}, ...]}` as JSON: one item for each row, in order.

        With `on_error="partial"` the items of bad rows say what is wrong with them, and the others are answered.
        Raises as `predict_one` does.
        """
        bundle = self._require_model()
        rows = await run_in_thread_if_large(len(body), bundle.parser.parse_batch, body, partial=on_error == "partial")
        if not rows.rows:
            raise InvalidRequest(422, rows.errors)
        answer: bytes = await self._submit(bundle, rows, "batch", body, key, subject)
        return answer

    async def predict_columns(
        self,
        columns: Mapping[str, Sequence[Any]],
        *,
        key: str | None = None,
        subject: str | None = None,
        on_error: OnError = "refuse",
        lines: LineMap | None = None,
    ) -> PredictionBatch:
        """Answer rows given as columns by name, None or NaN where a value is missing; raises as `predict_one` does.

        With `lines` the rows were lines of a text, and problems name them so.
        """
        bundle = self._require_model()
        size = _VALUE_BYTES * sum(map(len, columns.values()))
        is_partial = on_error == "partial"
        rows = await run_in_thread_if_large(size, bundle.parser.parse_columns, columns, partial=is_partial, lines=lines)
        if not rows.rows:
            raise InvalidRequest(422, rows.errors)
        body = repr([rows.positions, rows.rows, *rows.errors]).encode() if key is not None else b""
        answer = await self._submit(bundle, rows, "columns", body, key, subject)
        return answer if isinstance(answer, PredictionBatch) else _batch_from_json(answer, rows)

    async def feedback(self, body: bytes) -> bytes:
        """Keep outcomes of earlier predictions: `{"prediction_id": ..., "outcome": ...}`, or `{"outcomes": [...]}`.

        Raises
        ------
        BodyRefused
            When a field is wrong, or no such prediction is known.
        NotReady
            When no model serves, or the state database cannot be written.
        """
        bundle = self._require_model()
        n_stored = await self._run_on_state(self._store_outcomes, body, bundle.classes)
        return json.dumps({"stored": n_stored}).encode()

    async def explain(self, body: bytes) -> bytes:
        """Answer a body `{"features": {...}}` with what each feature contributed; nothing is logged."""
        bundle = self._require_model()
        return await asyncio.to_thread(lambda: explain(bundle, bundle.parser.parse_row(body)))

    async def what_if(self, body: bytes) -> bytes:
        """Answer a body `{"features": {...}}` with what would change the answer; nothing is logged."""
        bundle = self._require_model()
        return await asyncio.to_thread(lambda: what_if_response(bundle, bundle.parser.parse_row(body)))

    async def reload(self) -> LoadedModel:
        """Look at the state database now.

        Raises
        ------
        NotReady
            When nothing sound serves.
        """
        await self._reload_if_changed(is_forced=True)
        return self._require_model()

    def ready(self) -> Readiness:
        """Return whether predictions can be answered."""
        if self.loaded_model is None:
            return Readiness(is_ready=False, reason=self._reason)
        if self._worker.is_failing and self._log_config.on_log_failure == "reject":
            return Readiness(is_ready=False, reason=f"predictions cannot be logged: {self._worker.stats.last_error}")
        return Readiness(is_ready=True)

    def status(self) -> dict[str, Any]:
        """Return what the engine does, as plain values, for people and for metrics."""
        readiness, tally, bundle = self.ready(), self._worker.stats, self.loaded_model
        return {
            "model": self.model,
            "stage": self.stage,
            "is_ready": readiness.is_ready,
            "reason": readiness.reason or self._reason,
            "follow_error": self._follow_error,
            "uptime_s": time.time() - self._started_at,
            "active": None if bundle is None else _model_identity(bundle),
            "previous": None if self.previous_model is None else _model_identity(self.previous_model),
            "queue_rows": self._worker.n_waiting,
            "log": {
                "mode": self._log_config.mode,
                "is_failing": self._worker.is_failing,
                "last_error": tally.last_error,
                "last_commit_s": tally.last_commit_s,
                "n_logged": tally.n_logged,
                "n_unlogged": tally.n_unlogged,
                "n_groups": tally.n_batches,
                "n_failures": tally.n_failures,
                "upkeep_error": self._retention.last_error,
            },
            "n_rows": tally.n_rows,
            "by_class": dict(tally.by_class),
            "by_confidence": list(tally.by_confidence),
        }

    def _require_model(self) -> LoadedModel:
        bundle = self.loaded_model
        if bundle is None:
            raise NotReady(self._reason, retry_after_s=5)
        return bundle

    async def _submit(
        self,
        loaded_model: LoadedModel,
        rows: ParsedRows,
        kind: str,
        body: bytes,
        idempotency_key: str | None,
        subject: str | None,
    ) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if idempotency_key is None and subject is None:
            self._worker.submit(PendingRequest(loaded_model, rows, kind, future, time.perf_counter_ns()))
            return await future
        _check_header_word("Idempotency-Key", idempotency_key)
        _check_header_word("subject", subject)
        digest = hashlib.sha256(kind.encode() + b"\0" + body).hexdigest()
        if idempotency_key is None:
            self._worker.submit(
                PendingRequest(loaded_model, rows, kind, future, time.perf_counter_ns(), None, digest, subject)
            )
            return await future
        return await self._submit_idempotent(
            PendingRequest(loaded_model, rows, kind, future, time.perf_counter_ns(), idempotency_key, digest, subject)
        )

    async def _submit_idempotent(self, request: PendingRequest) -> Any:
        """Submit a request with a key; one that is on its way already is waited for."""
        key = str(request.idempotency_key)
        digest, future = self._in_flight.get(key, ("", request.future))
        if future is request.future:
            self._worker.submit(request)
            self._in_flight[key] = (request.body_digest, future)
            future.add_done_callback(lambda _: self._in_flight.pop(key, None))
        elif digest != request.body_digest:
            said = "this key belongs to another request that is being answered; use a new key"
            raise InvalidRequest(422, [FieldError("Idempotency-Key", "idempotency_key", said)])
        return await asyncio.shield(future)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._config.follow_s)
            try:
                await self._reload_if_changed()
                self._follow_error = None
            except Exception as error:  # noqa: BLE001 - whatever it is, what serves now serves on and the next look comes
                self._follow_error = str(error)

    async def _reload_if_changed(self, *, is_forced: bool = False) -> None:
        async with self._lock:
            found: PollResult = await asyncio.to_thread(self._reloader.poll, self.loaded_model, is_forced=is_forced)
            self._reason = found.reason
            if found.loaded_model is self.loaded_model:
                return
            if self.loaded_model is not None and (
                found.loaded_model is None or found.loaded_model.digest != self.loaded_model.digest
            ):
                self.previous_model = self.loaded_model
            self.loaded_model = found.loaded_model
            # What was loaded stays: looking for garbage in it again and again would cost large batches a third.
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def _store_outcomes(self, body: bytes, classes: Sequence[str]) -> int:
        max_rows = self._config.max_rows
        value = parse_json(body, max_commas=max_rows * _MAX_COMMAS_PER_OUTCOME)
        return store_outcomes(self._state, read_outcomes(value, classes, max_rows=max_rows))

    async def _run_on_state(self, work: Any, *args: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *args)
        except InvalidRequest:
            raise
        except MlopsError as error:
            raise NotReady("the state database cannot be written now; try again", retry_after_s=2) from error


def _model_identity(loaded_model: LoadedModel) -> dict[str, Any]:
    return {
        "version": loaded_model.version,
        "digest": loaded_model.digest,
        "generation": loaded_model.generation,
        "served_by": loaded_model.served_by,
    }


def _batch_from_json(body: bytes, rows: ParsedRows) -> PredictionBatch:
    """Return a stored answer as columns."""
    items = [one for one in json.loads(body)["predictions"] if "prediction" in one]
    return PredictionBatch(
        [one["prediction"] for one in items],
        [one["confidence"] for one in items],
        [list(one["probabilities"].values()) for one in items],
        [one["prediction_id"] for one in items],
        rows.positions,
        rows.errors,
        lambda: body,
    )


def _check_header_word(what: str, word: str | None) -> None:
    if word is not None and not (0 < len(word) <= _MAX_HEADER_LENGTH and word.isprintable() and word.isascii()):
        said = f"is 1 to {_MAX_HEADER_LENGTH} printable ASCII signs"
        raise InvalidRequest(422, [FieldError(what, "word", said)])


def load_hash_key(root: Path) -> bytes:
    """Return the key of the hashes in the log; it is made at the first start and stays in the state folder."""
    path = root / _HASH_KEY_PATH
    with exclusive_lock(root / "state/log.key.lock", operation="making the key of the log", wait_s=10):
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(os.urandom(32))
        return path.read_bytes()
