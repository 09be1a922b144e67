"""Submit parsed requests to the worker; requests in progress with one idempotency key share one response."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.serving.batch_predictor import PendingRequest
from pipeline.serving.log_options import LOGGED, LogOptions, digest_body, digest_key
from pipeline.serving.serving_errors import IdempotencyConflict

if TYPE_CHECKING:
    from pipeline.config.groups.monitoring_config import PredictionSource
    from pipeline.serving.batch_predictor import RequestKind, Response
    from pipeline.serving.line_up import AssignedRows
    from pipeline.serving.worker import PredictionWorker

__all__ = ["RequestSubmitter"]


@dataclass(slots=True)
class RequestSubmitter:
    """Submits requests of one event loop.

    Parameters
    ----------
    worker : PredictionWorker
    model : str
        Name in the registry.
    hash_key : bytes
        Key of the digests of idempotency keys and bodies.
    source : PredictionSource
        Source that the log records of a request without one.
    """

    worker: PredictionWorker
    model: str
    hash_key: bytes
    source: PredictionSource
    _in_flight: dict[str, tuple[str, asyncio.Future[Response]]] = field(default_factory=dict)

    async def submit(self, assigned: AssignedRows, kind: RequestKind, body: bytes, options: LogOptions) -> Response:
        """Return the response to a request after its rows are committed.

        Raises
        ------
        InvalidRequest
            When key or subject are no words.
        IdempotencyConflict
            When the key belongs to another body.
        NotReady
            When the prediction cannot be logged.
        """
        model, rows, fallback = assigned
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        source = options.source or self.source
        request = PendingRequest(model, rows, kind, future, time.perf_counter_ns(), source, fallback=fallback)
        if options is not LOGGED:
            options.check()
            request.subject, request.is_logged = options.subject, options.is_logged
            if options.key is not None and options.is_logged:
                request.idempotency_key = digest_key(options, model=self.model, hash_key=self.hash_key)
                request.body_digest = digest_body(kind, body, hash_key=self.hash_key)
                return await self._submit_idempotent(request, request.idempotency_key)
        self.worker.submit(request)
        return await future

    async def _submit_idempotent(self, request: PendingRequest, key: str) -> Response:
        """Submit a request, or wait for one in progress that has the same key."""
        digest, future = self._in_flight.get(key, ("", request.future))
        if future is request.future:
            self.worker.submit(request)
            self._in_flight[key] = (request.body_digest, future)
            future.add_done_callback(lambda _: self._in_flight.pop(key, None))
        elif digest != request.body_digest:
            message = "this key belongs to another request; use a new key"
            raise IdempotencyConflict.for_field("Idempotency-Key", "idempotency_key", message)
        return await asyncio.shield(future)
