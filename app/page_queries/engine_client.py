"""Run a serving engine inside this process, with blocking methods for the pages."""

from __future__ import annotations

import asyncio
import json
import threading
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.serving import Engine
from pipeline.serving.log_options import LogOptions

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.serving import PredictionBatch

__all__ = ["EngineClient", "running_engine"]

_RESPONSE_TIMEOUT_S = 60
_T = TypeVar("_T")
# Streamlit's cache cannot be asked what it has; a status must not start an engine.
_RUNNING: weakref.WeakSet[EngineClient] = weakref.WeakSet()


def running_engine(root: Path) -> EngineClient | None:
    """Return the engine of a project that runs in this process; None if there is none."""
    return next((client for client in list(_RUNNING) if client.root == root), None)


class EngineClient:
    """An engine whose event loop runs in a thread until `close`; every method blocks for its response.

    Parameters
    ----------
    root : Path
        Folder of the project.
    config : Config
        Settings of the project: the model, serving and the prediction log.

    Raises
    ------
    Conflict
        When the schema version of the state database differs.
    DependencyUnavailable
        When the database is unreachable.
    """

    def __init__(self, root: Path, config: Config) -> None:
        self.root = root
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()
        self._engine = Engine(root, config.name, config.serving.engine, config.serving.log, source="app")
        self.max_rows = config.serving.engine.max_rows
        try:
            self._run(self._engine.start())
        except BaseException:
            self._stop_loop()
            raise
        _RUNNING.add(self)

    def close(self) -> None:
        """Stop the engine, then its thread."""
        _RUNNING.discard(self)
        self._run(self._engine.close())
        self._stop_loop()

    def predict(self, features: Mapping[str, Any], *, is_logged: bool) -> dict[str, Any]:
        """Return the prediction for one row; raises InvalidRequest and NotReady as `Engine.predict_row` does."""
        return self.predict_body(_row_body(features), is_logged=is_logged)

    def predict_body(self, body: bytes, *, is_logged: bool) -> dict[str, Any]:
        """Return the prediction for a request body `{"features": {...}}`."""
        self._reload_if_changed()
        return self._row_response(self._engine.predict_row(body, LogOptions(is_logged=is_logged)))

    def predict_columns(self, columns: Mapping[str, Sequence[Any]], *, is_logged: bool) -> PredictionBatch:
        """Return the predictions for at most `max_rows` rows, given by column."""
        return self._run(self._engine.predict_columns(columns, LogOptions(is_logged=is_logged)))

    def record_outcome(self, prediction_id: str, outcome: str, *, user: str) -> None:
        """Store the outcome of an earlier prediction, with the user as its caller."""
        body = {"prediction_id": prediction_id, "outcome": outcome, "source": "app"}
        self._run(self._engine.feedback(json.dumps(body).encode(), caller=user))

    def status(self) -> dict[str, Any]:
        """Return the status of the engine."""
        return self._engine.status()

    def _row_response(self, coroutine: Coroutine[Any, Any, bytes]) -> dict[str, Any]:
        response: dict[str, Any] = json.loads(self._run(coroutine))
        return response

    def _reload_if_changed(self) -> None:
        """Load the promoted version before the prediction, so that a promotion in the app takes effect at once."""
        self._run(self._engine.reload())

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_RESPONSE_TIMEOUT_S)

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_RESPONSE_TIMEOUT_S)
        self._loop.close()


def _row_body(features: Mapping[str, Any]) -> bytes:
    return json.dumps({"features": dict(features)}).encode()
