"""Verify a loaded model by sending its golden rows through the HTTP stack before it goes live.

The rows pass the same protocol, router, parser and scorer as a request, over a socket pair in an event loop of its own.
Nothing is logged or counted, and the live model is not delayed. The predictions must equal those that were recorded
when the package was written.
"""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop
from uvicorn.server import ServerState

from pipeline.errors import IntegrityError
from pipeline.package import GOLDEN_TOLERANCE
from pipeline.serving.batch_predictor import BatchPredictor, PendingRequest
from pipeline.serving.http import access_log
from pipeline.serving.http.application import Application, TrustedHosts
from pipeline.serving.http.authentication import Authenticator
from pipeline.serving.http.limits import ConcurrencyLimiter
from pipeline.serving.http.messages import JSON_MEDIA_TYPE, HttpResponse
from pipeline.serving.http.protocol import DeadlineProtocol
from pipeline.serving.http.router import JSON_ONLY, Router, bind_routes, route
from pipeline.serving.http.server_metrics import RequestMetrics

if TYPE_CHECKING:
    from pipeline.serving.batch_predictor import RequestKind
    from pipeline.serving.http.messages import HttpRequest
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.rows.row_parser import ParsedRows

__all__ = ["replay_golden_rows"]

_TIMEOUT_S = 20.0
_MAX_BODY_BYTES = 1 << 26


def replay_golden_rows(model: LoadedModel) -> None:
    """Send the golden rows of `model` one by one, with integers written as decimals, and as a batch.

    Raises
    ------
    IntegrityError
        Naming the first row whose prediction differs from the recorded one.
    """
    golden = model.package.golden_rows
    names = list(golden["columns"])
    columns = [
        map(model.package.schema.column(name).to_request_value, values) for name, values in golden["columns"].items()
    ]
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    bodies: list[tuple[str, Any]] = [("/predict", {"features": row}) for row in rows]
    bodies += [("/predict", {"features": {name: _as_float(value) for name, value in row.items()}}) for row in rows]
    bodies.append(("/predict/batch", {"instances": rows}))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        responses = runner.run(asyncio.wait_for(_send_all(model, bodies), _TIMEOUT_S))
    batch = responses.pop()
    responses += batch.get("predictions", [batch] * len(rows))
    variants = ("/predict", "/predict, integers as decimals", "/predict/batch")
    for at, response in enumerate(responses):
        _check_response(model, at % len(rows), response, variants[at // len(rows)])


def _as_float(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _check_response(model: LoadedModel, row: int, response: dict[str, Any], variant: str) -> None:
    golden = model.package.golden_rows
    label = f"golden.json: row {row} over HTTP ({variant})"
    if "probabilities" not in response:
        problems = response.get("problems") or [{}]
        raise IntegrityError(f"{label}: is refused ({response.get('detail') or problems[0].get('message')})")
    probabilities, expected = response["probabilities"].values(), golden["probabilities"][row]
    difference = max(abs(actual - recorded) for actual, recorded in zip(probabilities, expected, strict=True))
    if not difference <= GOLDEN_TOLERANCE or response["prediction"] != golden["classes"][row]:
        raise IntegrityError(
            f"{label}: the prediction differs from the one recorded in the package (a probability by"
            f" {difference:.1e}); check the library versions, or fetch the package again"
        )


async def _send_all(model: LoadedModel, bodies: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    config = uvicorn.Config(
        _prediction_application(model),
        http=DeadlineProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    config.load()
    server_socket, client_socket = socket.socketpair()
    server_socket.settimeout(0)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(
        lambda: DeadlineProtocol(config=config, server_state=ServerState(), app_state={}), server_socket
    )
    reader, writer = await asyncio.open_unix_connection(sock=client_socket, limit=_MAX_BODY_BYTES)
    try:
        return [await _send(reader, writer, path, json.dumps(body).encode()) for path, body in bodies]
    finally:
        writer.close()
        transport.close()


async def _send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes) -> dict[str, Any]:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON_MEDIA_TYPE.decode()}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    headers = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(headers.partition(b"content-length:")[2].partition(b"\r\n")[0])
    response: dict[str, Any] = json.loads(await reader.readexactly(length))
    return response


@dataclass(frozen=True, slots=True)
class _ReplayEndpoints:
    """The two prediction endpoints of one model, without a log."""

    model: LoadedModel
    predictor: BatchPredictor

    @route("POST", "/predict", role="predict", accepts=JSON_ONLY)
    async def predict(self, request: HttpRequest) -> HttpResponse:
        """Predict one row."""
        return self._respond(self.model.parser.parse_row(request.body), "row")

    @route("POST", "/predict/batch", role="predict", accepts=JSON_ONLY)
    async def predict_batch(self, request: HttpRequest) -> HttpResponse:
        """Predict many rows."""
        return self._respond(self.model.parser.parse_batch(request.body, partial=True), "batch")

    def _respond(self, rows: ParsedRows, kind: RequestKind) -> HttpResponse:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        (completed,) = self.predictor.predict([PendingRequest(self.model, rows, kind, future, 0)])
        return HttpResponse(completed.body)


def _prediction_application(model: LoadedModel) -> Application:
    """Return an application with the two prediction endpoints, without authentication and log."""
    return Application(
        Router(bind_routes(_ReplayEndpoints(model, BatchPredictor(sample_rate=1.0)))),
        Authenticator(is_required=False, verifiers=(), rate_limiter=None),
        TrustedHosts(frozenset()),
        concurrency_limiter=ConcurrencyLimiter(8, _MAX_BODY_BYTES),
        request_metrics=RequestMetrics(),
        access_log=access_log.AccessLog(access_log.null_logger(), logs_all=False),
        max_body_bytes=_MAX_BODY_BYTES,
        max_connections=8,
    )
