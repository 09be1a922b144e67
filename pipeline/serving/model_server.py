"""Serve the Production version of a model: as a library, or as an HTTP server."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config.config_loader import load_params
from pipeline.errors import UsageError
from pipeline.project.actor import current_actor
from pipeline.serving.engine import Engine
from pipeline.serving.log_options import LogOptions
from pipeline.serving.server_startup import start_server

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from pipeline.config.groups.serving_config import ServingConfig

__all__ = ["ModelServer"]


class ModelServer:
    """Predicts rows with the version of a model in a stage, and logs each prediction as the HTTP server does.

    The engine starts at the first prediction, on a thread of its own, and follows promotions.
    Use the server as a context manager, or call `close`.

    Parameters
    ----------
    model_name : str, optional
        Name in the registry; the `name` of the settings when None.
    model_stage : str
        Production or Staging.
    port : int, optional
        Port of `run`; `serving.port` when None.
    root : Path, optional
        Folder of the project; the current one when None.

    Examples
    --------
    ::

        with ModelServer("churn_model") as server:
            prediction = server.predict({"visits": 3, "plan": "basic"})
            print(prediction["prediction"], prediction["confidence"])
    """

    def __init__(
        self,
        model_name: str | None = None,
        model_stage: str = "Production",
        port: int | None = None,
        *,
        root: Path | None = None,
    ) -> None:
        if model_stage not in ("Production", "Staging"):
            raise UsageError(f"model_stage is {model_stage!r}; accepted are Production and Staging")
        self.model_name = model_name
        self.model_stage = model_stage
        self.port = port
        self._root = Path() if root is None else root
        self._engine: Engine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def predict(
        self, features: Mapping[str, Any], *, key: str | None = None, subject: str | None = None
    ) -> dict[str, Any]:
        """Return the prediction for one row, as `POST /predict` does.

        Raises
        ------
        InvalidRequest
            Naming each feature that is wrong.
        NotReady
            When no model is loaded, or the prediction cannot be logged.
        """
        body = _to_json({"features": dict(features)})
        response = self._run_coroutine(self._ensure_engine().predict_row(body, LogOptions(key=key, subject=subject)))
        prediction: dict[str, Any] = json.loads(response)
        return prediction

    def predict_batch(
        self, instances: Any, *, key: str | None = None, subject: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the predictions for a list of mappings or a DataFrame, in order; raises the errors of `predict`."""
        rows = instances.astype(object).to_dict("records") if hasattr(instances, "to_dict") else instances
        body = _to_json({"instances": [_with_none_for_missing(row) for row in rows]})
        response = self._run_coroutine(self._ensure_engine().predict_batch(body, LogOptions(key=key, subject=subject)))
        predictions: list[dict[str, Any]] = json.loads(response)["predictions"]
        return predictions

    def feedback(self, outcomes: Sequence[Mapping[str, str]]) -> int:
        """Store outcomes of earlier predictions as the user of this process, and return their number."""
        body = json.dumps({"outcomes": [dict(outcome) for outcome in outcomes]}).encode()
        response = self._run_coroutine(self._ensure_engine().feedback(body, caller=current_actor()))
        return int(json.loads(response)["stored"])

    def run(self, *, with_dashboard: bool = True) -> None:
        """Serve over HTTP until SIGTERM or SIGINT, as `mlops serve --dashboard` does; for the main thread.

        The page at `/` links the dashboard, which runs on a port of its own.
        """
        start_server(
            state=self._root,
            model=self.model_name,
            stage=self.model_stage,
            port=self.port,
            with_dashboard=with_dashboard,
        )

    def close(self) -> None:
        """Complete the requests in progress and release everything."""
        if self._engine is None or self._loop is None or self._thread is None:
            return
        self._run_coroutine(self._engine.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._engine = self._loop = self._thread = None

    def __enter__(self) -> Self:
        """Return the server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the server."""
        self.close()

    def _ensure_engine(self) -> Engine:
        if self._engine is None:
            config = load_params(self._root / "params.yaml")
            serving: ServingConfig = config.serving
            name = config.name if self.model_name is None else self.model_name
            engine = Engine(self._root, name, serving.engine, serving.log, stage=self.model_stage, source="library")
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="model-server", daemon=True)
            self._thread.start()
            self._run_coroutine(engine.start())
            self._engine = engine
        return self._engine

    def _run_coroutine(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            coroutine.close()
            raise CancelledError
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def _to_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, default=_to_json_value).encode()


def _with_none_for_missing(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with None in place of NaN, NA and NaT."""
    return {name: None if _is_missing(value) else value for name, value in row.items()}


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, float) and value != value  # noqa: PLR0124 - NaN
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _to_json_value(value: Any) -> Any:
    """Return a value of numpy or pandas as a plain Python value."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise UsageError(f"a value has type {type(value).__name__}; accepted are numbers, text, booleans and None")
