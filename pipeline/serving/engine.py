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
from pipeline.serving.activation import Activation
from pipeline.serving.answering import Work
from pipeline.serving.apart import apart
from pipeline.serving.contracts import Answers, BodyRefused, NotReady, Problem, Readiness
from pipeline.serving.explain import explain
from pipeline.serving.feedback import read_outcomes, store_outcomes
from pipeline.serving.log import LogWriter
from pipeline.serving.rows import Rows, parse_json
from pipeline.serving.upkeep import Upkeep
from pipeline.serving.variation import variation
from pipeline.state import Journal, open_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.config.groups.serving import EngineConfig, PredictionLogConfig
    from pipeline.serving.activation import Found
    from pipeline.serving.bundle import Bundle
    from pipeline.serving.contracts import Lines
    from pipeline.serving.log import Watch
    from pipeline.state import State

__all__ = ["Engine", "log_secret"]

OnError = Literal["refuse", "partial"]

_PACKAGES = "state/packages"
_SECRET = "state/log.key"  # noqa: S105 - where it lies, not what it is
_MAX_WORD = 200
_OUTCOME_COMMAS = 20
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
        self.bundle: Bundle | None = None
        self.previous: Bundle | None = None
        self.prove: Callable[[Bundle], None] | None = None
        self.watch: Watch | None = None
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
        self._writer: LogWriter
        self._upkeep: Upkeep
        self._activation: Activation

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
        packages = PackageStore(self._root / _PACKAGES)
        secret = log_secret(self._root)
        self._activation = Activation(self._state, packages, self.model, self.stage, self._config, secret, self.prove)
        self._writer = LogWriter(Journal(self._state), self._log_config, self._state.clock, self.watch)
        self._writer.start(asyncio.get_running_loop())
        self._upkeep = Upkeep(self._state, self._log_config)
        await self._look(is_asked=True)
        self._follower = asyncio.create_task(self._follow(), name="follow-state")
        self._upkeep.start()

    async def close(self) -> None:
        """Answer what is on its way, then let go of everything."""
        if self._follower is not None:
            async with self._lock:  # a look that is under way ends first: its thread would keep a connection open
                self._follower.cancel()
                with suppress(asyncio.CancelledError):
                    await self._follower
            self._follower = None
            await asyncio.to_thread(self._upkeep.stop)
        self._writer.hand_over()
        await asyncio.to_thread(self._writer.stop)
        await asyncio.sleep(0)  # answers that were handed over by the writer's last call reach their requests
        self._reason = "the engine was closed"
        self.bundle = None
        self._state.close()

    @property
    def state(self) -> State:
        """The state database, for what stands beside predictions (keys of callers, events)."""
        return self._state

    async def predict_one(self, body: bytes, *, key: str | None = None, subject: str | None = None) -> bytes:
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
        bundle = self._ready_bundle()
        row = await apart(len(body), bundle.codec.one, body)
        if key is None and subject is None and (known := self._writer.at_once(bundle, row)) is not None:
            return known
        answer: bytes = await self._submit(bundle, Rows([row], [0]), "one", body, key, subject)
        return answer

    async def predict_batch(
        self, body: bytes, *, key: str | None = None, subject: str | None = None, on_error: OnError = "refuse"
    ) -> bytes:
        """Answer a body `{"instances": [{...}, ...]}` as JSON: one item for each row, in order.

        With `on_error="partial"` the items of bad rows say what is wrong with them, and the others are answered.
        Raises as `predict_one` does.
        """
        bundle = self._ready_bundle()
        rows = await apart(len(body), bundle.codec.many, body, partial=on_error == "partial")
        if not rows.rows:
            raise BodyRefused(422, rows.problems)
        answer: bytes = await self._submit(bundle, rows, "batch", body, key, subject)
        return answer

    async def predict_columns(
        self,
        columns: Mapping[str, Sequence[Any]],
        *,
        key: str | None = None,
        subject: str | None = None,
        on_error: OnError = "refuse",
        lines: Lines | None = None,
    ) -> Answers:
        """Answer rows given as columns by name, None or NaN where a value is missing; raises as `predict_one` does.

        With `lines` the rows were lines of a text, and problems name them so.
        """
        bundle = self._ready_bundle()
        size = _VALUE_BYTES * sum(map(len, columns.values()))
        is_partial = on_error == "partial"
        rows = await apart(size, bundle.codec.columns_of, columns, partial=is_partial, lines=lines)
        if not rows.rows:
            raise BodyRefused(422, rows.problems)
        body = repr([rows.positions, rows.rows, *rows.problems]).encode() if key is not None else b""
        answer = await self._submit(bundle, rows, "columns", body, key, subject)
        return answer if isinstance(answer, Answers) else _stored_columns(answer, rows)

    async def feedback(self, body: bytes) -> bytes:
        """Keep outcomes of earlier predictions: `{"prediction_id": ..., "outcome": ...}`, or `{"outcomes": [...]}`.

        Raises
        ------
        BodyRefused
            When a field is wrong, or no such prediction is known.
        NotReady
            When no model serves, or the state database cannot be written.
        """
        bundle = self._ready_bundle()
        n_stored = await self._with_state(self._keep_outcomes, body, bundle.classes)
        return json.dumps({"stored": n_stored}).encode()

    async def explain(self, body: bytes) -> bytes:
        """Answer a body `{"features": {...}}` with what each feature contributed; nothing is logged."""
        bundle = self._ready_bundle()
        return await asyncio.to_thread(lambda: explain(bundle, bundle.codec.one(body)))

    async def vary(self, body: bytes) -> bytes:
        """Answer a body `{"features": {...}}` with what would change the answer; nothing is logged."""
        bundle = self._ready_bundle()
        return await asyncio.to_thread(lambda: variation(bundle, bundle.codec.one(body)))

    async def activate(self) -> Bundle:
        """Look at the state database now.

        Raises
        ------
        NotReady
            When nothing sound serves.
        """
        await self._look(is_asked=True)
        return self._ready_bundle()

    def ready(self) -> Readiness:
        """Return whether predictions can be answered."""
        if self.bundle is None:
            return Readiness(is_ready=False, reason=self._reason)
        if self._writer.is_failing and self._log_config.on_log_failure == "reject":
            return Readiness(is_ready=False, reason=f"predictions cannot be logged: {self._writer.tally.last_error}")
        return Readiness(is_ready=True)

    def status(self) -> dict[str, Any]:
        """Return what the engine does, as plain values, for people and for metrics."""
        readiness, tally, bundle = self.ready(), self._writer.tally, self.bundle
        return {
            "model": self.model,
            "stage": self.stage,
            "is_ready": readiness.is_ready,
            "reason": readiness.reason or self._reason,
            "follow_error": self._follow_error,
            "uptime_s": time.time() - self._started_at,
            "active": None if bundle is None else _named(bundle),
            "previous": None if self.previous is None else _named(self.previous),
            "queue_rows": self._writer.n_waiting,
            "log": {
                "mode": self._log_config.mode,
                "is_failing": self._writer.is_failing,
                "last_error": tally.last_error,
                "last_commit_s": tally.last_commit_s,
                "n_logged": tally.n_logged,
                "n_unlogged": tally.n_unlogged,
                "n_groups": tally.n_groups,
                "n_failures": tally.n_failures,
                "upkeep_error": self._upkeep.error,
            },
            "n_rows": tally.n_rows,
            "by_class": dict(tally.by_class),
            "by_confidence": list(tally.by_confidence),
        }

    def _ready_bundle(self) -> Bundle:
        bundle = self.bundle
        if bundle is None:
            raise NotReady(self._reason, retry_after_s=5)
        return bundle

    async def _submit(
        self, bundle: Bundle, rows: Rows, form: str, body: bytes, key: str | None, subject: str | None
    ) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if key is None and subject is None:
            self._writer.submit(Work(bundle, rows, form, future, time.perf_counter_ns()))
            return await future
        _check_word("Idempotency-Key", key)
        _check_word("subject", subject)
        digest = hashlib.sha256(form.encode() + b"\0" + body).hexdigest()
        if key is None:
            self._writer.submit(Work(bundle, rows, form, future, time.perf_counter_ns(), None, digest, subject))
            return await future
        return await self._submit_once(Work(bundle, rows, form, future, time.perf_counter_ns(), key, digest, subject))

    async def _submit_once(self, work: Work) -> Any:
        """Submit a request with a key; one that is on its way already is waited for."""
        key = str(work.key)
        digest, future = self._in_flight.get(key, ("", work.future))
        if future is work.future:
            self._writer.submit(work)
            self._in_flight[key] = (work.digest, future)
            future.add_done_callback(lambda _: self._in_flight.pop(key, None))
        elif digest != work.digest:
            said = "this key belongs to another request that is being answered; use a new key"
            raise BodyRefused(422, [Problem("Idempotency-Key", "idempotency_key", said)])
        return await asyncio.shield(future)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._config.follow_s)
            try:
                await self._look()
                self._follow_error = None
            except Exception as error:  # noqa: BLE001 - whatever it is, what serves now serves on and the next look comes
                self._follow_error = str(error)

    async def _look(self, *, is_asked: bool = False) -> None:
        async with self._lock:
            found: Found = await asyncio.to_thread(self._activation.look, self.bundle, is_asked=is_asked)
            self._reason = found.reason
            if found.bundle is self.bundle:
                return
            if self.bundle is not None and (found.bundle is None or found.bundle.digest != self.bundle.digest):
                self.previous = self.bundle
            self.bundle = found.bundle
            # What was loaded stays: looking for garbage in it again and again would cost large batches a third.
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def _keep_outcomes(self, body: bytes, classes: Sequence[str]) -> int:
        max_rows = self._config.max_rows
        value = parse_json(body, max_commas=max_rows * _OUTCOME_COMMAS)
        return store_outcomes(self._state, read_outcomes(value, classes, max_rows=max_rows))

    async def _with_state(self, work: Any, *args: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *args)
        except BodyRefused:
            raise
        except MlopsError as error:
            raise NotReady("the state database cannot be written now; try again", retry_after_s=2) from error


def _named(bundle: Bundle) -> dict[str, Any]:
    return {
        "version": bundle.version,
        "digest": bundle.digest,
        "generation": bundle.generation,
        "served_by": bundle.served_by,
    }


def _stored_columns(body: bytes, rows: Rows) -> Answers:
    """Return a stored answer as columns."""
    items = [one for one in json.loads(body)["predictions"] if "prediction" in one]
    return Answers(
        [one["prediction"] for one in items],
        [one["confidence"] for one in items],
        [list(one["probabilities"].values()) for one in items],
        [one["prediction_id"] for one in items],
        rows.positions,
        rows.problems,
        lambda: body,
    )


def _check_word(what: str, word: str | None) -> None:
    if word is not None and not (0 < len(word) <= _MAX_WORD and word.isprintable() and word.isascii()):
        said = f"is 1 to {_MAX_WORD} printable ASCII signs"
        raise BodyRefused(422, [Problem(what, "word", said)])


def log_secret(root: Path) -> bytes:
    """Return the key of the hashes in the log; it is made at the first start and stays in the state folder."""
    path = root / _SECRET
    with exclusive_lock(root / "state/log.key.lock", what="making the key of the log", wait_s=10):
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(os.urandom(32))
        return path.read_bytes()
