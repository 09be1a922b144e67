"""Handle the calls of gRPC: caller, concurrency, method, response, metrics and log, as for a request of HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

import grpc

from pipeline.project.stage_digests import DISTRIBUTION, engine_version
from pipeline.serving.concurrency import run_in_thread_if_large
from pipeline.serving.grpc_inference.inference_messages import (
    inference_response,
    metadata_response,
    parse_inference,
    parse_message,
)
from pipeline.serving.grpc_inference.protocol_messages import SERVICE, message_class
from pipeline.serving.http.authentication import PUBLIC, UNRESTRICTED
from pipeline.serving.http.engine_responses import check_model_names, require_model
from pipeline.serving.http.messages import (
    LOG_QUERY_PARAMS,
    HttpRequest,
    check_single_headers,
    is_opted_out,
    request_id_from,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pipeline.serving.engine import Engine
    from pipeline.serving.http.application import Application
    from pipeline.serving.http.open_inference import InferenceRequest
    from pipeline.serving.http.problems import HttpProblem
    from pipeline.serving.loaded_model import LoadedModel

    Method = Callable[[HttpRequest], Awaitable[bytes]]

__all__ = ["InferenceService", "status_code"]

_STATUS_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.ALREADY_EXISTS,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}
# The status that the access log has for a client that went away; the call was canceled, or its deadline passed.
_CANCELED_STATUS = 499


def status_code(http_status: int) -> grpc.StatusCode:
    """Return the status code of gRPC for the HTTP status of a problem."""
    return _STATUS_CODES[http_status]


@dataclass(slots=True)
class _Call:
    """What is known about a call before its method runs."""

    operation: str
    headers: dict[bytes, bytes]
    repeatable_headers: list[tuple[bytes, bytes]]
    address: str
    request_id: str
    query: bytes
    caller_id: str = ""
    started_s: float = field(default_factory=perf_counter)


@dataclass(frozen=True, slots=True)
class InferenceService:
    """The methods of the protocol for one engine.

    Parameters
    ----------
    engine : Engine
    application : Application
        Its authenticator, limits, metrics and access log count for both protocols.
    max_rows : int
        Rows that one request may have.
    """

    engine: Engine
    application: Application
    max_rows: int

    def handlers(self) -> Any:
        """Return the handlers of all methods for a server of gRPC; they take and return bytes."""
        methods = {
            "ServerLive": self._handler("grpc_live", PUBLIC, self._server_live),
            "ServerReady": self._handler("grpc_ready", PUBLIC, self._server_ready),
            "ServerMetadata": self._handler("grpc_server", PUBLIC, self._server_metadata),
            "ModelReady": self._handler("grpc_model_ready", PUBLIC, self._model_ready),
            "ModelMetadata": self._handler("grpc_model", "viewer", self._model_metadata),
            "ModelInfer": self._handler("grpc_infer", "predict", self._model_infer),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _handler(self, operation: str, role: str, method: Method) -> Any:
        async def handle(data: bytes, context: Any) -> bytes:
            call = _read_call(operation, context)
            try:
                response = await self._respond(call, role, method, data)
            except asyncio.CancelledError:
                self._record(call, _CANCELED_STATUS)
                raise
            except Exception as error:  # noqa: BLE001 - the outer edge: every error becomes a status
                problem = self.application.to_problem(error, call.request_id)
            else:
                self._record(call, 200)
                return response
            self._record(call, problem.status, kind=problem.kind)
            await context.abort(status_code(problem.status), problem.detail, _trailers(problem, call.request_id))
            raise AssertionError("abort raises")

        return grpc.unary_unary_rpc_method_handler(handle)

    async def _respond(self, call: _Call, role: str, method: Method, data: bytes) -> bytes:
        check_single_headers(call.repeatable_headers)
        authenticator = self.application.authenticator
        roles = ("viewer",) if role == "predict" and is_opted_out(call.query) else (role,)
        principal = (
            UNRESTRICTED
            if authenticator.allows_everyone
            else await authenticator.authorize(call.headers, roles, call.address)
        )
        call.caller_id = principal.id
        request = HttpRequest("POST", SERVICE, call.query, call.headers, call.request_id, principal, {}, data)
        return await method(request)

    def _record(self, call: _Call, status: int, *, kind: str | None = None) -> None:
        duration_s = perf_counter() - call.started_s
        self.application.request_metrics.observe(call.operation, status, duration_s)
        log = self.application.access_log
        if log.should_log(status, duration_s) or is_opted_out(call.query):
            milliseconds = round(duration_s * 1000, 3)
            log.write_line(
                call.operation, status, milliseconds, call.request_id, call.caller_id, call.address, kind=kind
            )

    async def _server_live(self, _request: HttpRequest) -> bytes:
        return _encode("ServerLiveResponse", live=True)

    async def _server_ready(self, _request: HttpRequest) -> bytes:
        return _encode("ServerReadyResponse", ready=self._is_ready())

    async def _server_metadata(self, _request: HttpRequest) -> bytes:
        return _encode("ServerMetadataResponse", name=DISTRIBUTION, version=engine_version())

    async def _model_ready(self, request: HttpRequest) -> bytes:
        message = parse_message("ModelReadyRequest", request.body)
        model = self.engine.loaded_model
        is_named = model is not None and (message.name, message.version or str(model.version)) == (
            model.name,
            str(model.version),
        )
        return _encode("ModelReadyResponse", ready=is_named and self._is_ready())

    async def _model_metadata(self, request: HttpRequest) -> bytes:
        message = parse_message("ModelMetadataRequest", request.body)
        model = require_model(self.engine)
        check_model_names(model, message.name, message.version or None)
        return metadata_response(model)

    async def _model_infer(self, request: HttpRequest) -> bytes:
        limiter, size = self.application.concurrency_limiter, len(request.body)
        if not limiter.acquire(size):
            raise await self.application.shed()
        try:
            model = require_model(self.engine)
            inference = await run_in_thread_if_large(size, self._read_inference, request.body, model)
            predictions = await self.engine.predict_columns(
                inference.columns, request.log_options(), is_pinned=inference.model_version is not None
            )
            return await run_in_thread_if_large(size, inference_response, inference, predictions, model)
        finally:
            limiter.release(size)

    def _read_inference(self, data: bytes, model: LoadedModel) -> InferenceRequest:
        message = parse_message("ModelInferRequest", data)
        check_model_names(model, message.model_name, message.model_version or None)
        return parse_inference(message, model.schema, max_rows=self.max_rows)

    def _is_ready(self) -> bool:
        return self.engine.ready().is_ready and not self.application.server_status.is_draining


def _read_call(operation: str, context: Any) -> _Call:
    metadata = context.invocation_metadata() or ()
    pairs = [
        (key.encode(), value.encode("utf-8", "replace") if isinstance(value, str) else value) for key, value in metadata
    ]
    headers = dict(pairs)
    # The query parameters of HTTP are metadata here.
    params = [(name, headers[name.encode()].decode("latin-1")) for name in LOG_QUERY_PARAMS if name.encode() in headers]
    query = urlencode(params).encode()
    return _Call(operation, headers, pairs, _address(context.peer()), request_id_from(headers), query)


def _address(peer: str) -> str:
    """Return the address of a peer such as `ipv4:127.0.0.1:50412`."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")


def _trailers(problem: HttpProblem, request_id: str) -> tuple[tuple[str, str], ...]:
    headers = [(name.lower(), value) for name, value in problem.headers.items()]
    return (("x-request-id", request_id), ("x-problem", problem.kind), *headers)


def _encode(message_name: str, **fields: Any) -> bytes:
    message: Any = message_class(message_name)(**fields)
    data: bytes = message.SerializeToString()
    return data
