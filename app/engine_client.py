"""Keep an engine in this process: its event loop lives in a thread of its own, and pages ask it as they would a function."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.serving import Engine

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.serving import PredictionBatch

__all__ = ["EngineClient"]

_RESPONSE_TIMEOUT_S = 60
_T = TypeVar("_T")


class EngineClient:
    """An engine that runs until `close`; every method blocks until its answer is there.

    Parameters
    ----------
    root : Path
        Folder of the project.
    config : Config
        Says which model, and how it is served and logged.

    Raises
    ------
    Conflict
        When the tables of the state database are of another form.
    DependencyUnavailable
        When the database cannot be had.
    """

    def __init__(self, root: Path, config: Config) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()
        self._engine = Engine(root, config.name, config.serving.engine, config.serving.log)
        self.max_rows = config.serving.engine.max_rows
        try:
            self._run(self._engine.start())
        except BaseException:
            self._stop_loop()
            raise

    def close(self) -> None:
        """Stop the engine, then its thread."""
        self._run(self._engine.close())
        self._stop_loop()

    def predict(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one row; BodyRefused and NotReady as `Engine.predict_one` raises them."""
        return self.predict_body(json.dumps({"features": dict(features)}).encode())

    def predict_body(self, body: bytes) -> dict[str, Any]:
        """Return the answer to a body `{"features": {...}}` that somebody wrote."""
        self._reload_if_changed()
        answer: dict[str, Any] = json.loads(self._run(self._engine.predict_row(body)))
        return answer

    def predict_columns(self, columns: Mapping[str, Sequence[Any]]) -> PredictionBatch:
        """Return the answers to many rows, at most `max_rows`, given by column."""
        return self._run(self._engine.predict_columns(columns))

    def explain(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return what each feature contributed to the answer."""
        found: dict[str, Any] = json.loads(
            self._run(self._engine.explain(json.dumps({"features": dict(features)}).encode()))
        )
        return found

    def what_if(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the model says when one feature alone is another."""
        found: dict[str, Any] = json.loads(
            self._run(self._engine.what_if(json.dumps({"features": dict(features)}).encode()))
        )
        return found

    def record_outcome(self, prediction_id: str, outcome: str) -> None:
        """Keep what became true of an earlier prediction."""
        body = {"prediction_id": prediction_id, "outcome": outcome, "source": "app"}
        self._run(self._engine.feedback(json.dumps(body).encode()))

    def status(self) -> dict[str, Any]:
        """Return what the engine says about itself."""
        return self._engine.status()

    def _reload_if_changed(self) -> None:
        """Look at what was decided before a person is answered: a promotion in the page next door counts at once."""
        self._run(self._engine.reload())

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_RESPONSE_TIMEOUT_S)

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_RESPONSE_TIMEOUT_S)
        self._loop.close()
