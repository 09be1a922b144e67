"""The ASGI application: from the head of a request to the last byte of its answer, for every operation alike."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pipeline.errors import MlopsError
from pipeline.serving.http import problems
from pipeline.serving.http.authentication import UNRESTRICTED
from pipeline.serving.http.limits import RefusalPacer
from pipeline.serving.http.messages import (
    ClientDisconnected,
    HttpRequest,
    HttpResponse,
    check_single_headers,
    request_id_from,
)
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.http.protocol import CYCLE_KEY, take_complete_body, write_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.serving.http.access_log import AccessLog
    from pipeline.serving.http.authentication import Authenticator
    from pipeline.serving.http.limits import ConcurrencyLimiter
    from pipeline.serving.http.messages import Receive, Send
    from pipeline.serving.http.request_metrics import RequestMetrics
    from pipeline.serving.http.router import Route, Router

__all__ = ["Application", "TrustedHosts"]

_SECURITY_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_RESPONSE_HEAD = b"content-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n" + b"".join(
    b"%b: %b\r\n" % one for one in _SECURITY_HEADERS
)
_OVERLOADED_DETAIL = "the server has as much work as it can do; come back in 1 s"


@dataclass(frozen=True, slots=True)
class TrustedHosts:
    """Which names the server answers to; a web page elsewhere must not reach it through a name of its own.

    An empty set accepts every name, which is for servers that ask for credentials.
    """

    names: frozenset[bytes]

    def check(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a request that is meant for another name, or comes from a page of another site."""
        if not self.names:
            return
        host = headers.get(b"host", b"")
        if _hostname(host) not in self.names:
            raise HttpProblem(
                "host-refused", "this server does not answer to the name in Host; see serving.allowed_hosts"
            )
        origin = headers.get(b"origin")
        if origin is not None and _hostname(origin.partition(b"://")[2]) not in self.names:
            raise HttpProblem("origin-refused", "web pages of other sites are not answered; call from a program")


@lru_cache(256)
def _hostname(host: bytes) -> bytes:
    """Return a host without its port."""
    if host.startswith(b"["):
        return host.partition(b"]")[0].lower() + b"]"
    return host.partition(b":")[0].lower()


@dataclass(slots=True)
class Application:
    """Everything that a request meets on its way.

    `is_draining` says that the server is about to stop; `n_connections` tells how many there are, and above
    `max_connections` only probes are answered.
    """

    router: Router
    authenticator: Authenticator
    trusted_hosts: TrustedHosts
    concurrency_limiter: ConcurrencyLimiter
    request_metrics: RequestMetrics
    access_log: AccessLog
    max_body_bytes: int
    max_connections: int
    connections: Any = ()
    is_draining: bool = False
    n_buffered_bytes: int = 0
    refusal_pacer: RefusalPacer = field(default_factory=RefusalPacer)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        began = perf_counter()
        operation: Route | None = None
        caller, request_id, kind = "", "", None
        # Taken out: what knows its scope and is known by it would be garbage that only a collection finds.
        cycle = scope.pop(CYCLE_KEY, None)
        try:
            raw = scope["headers"]
            fields = dict(raw)
            request_id = request_id_from(fields)
            if len(fields) != len(raw):
                check_single_headers(raw)
            operation, parameters = self.router.find(scope["method"], scope["path"])
            call = await self._authorize(scope, fields, operation, parameters, request_id)
            caller = call.principal.id
            answer = await self._handle(operation, call, receive, cycle)
        except (ClientDisconnected, asyncio.CancelledError):
            self.request_metrics.observe(operation.name if operation else "unmatched", 499, perf_counter() - began)
            return
        except Exception as error:  # noqa: BLE001 - the outer edge: every error becomes a problem document
            refused = self._to_problem(error, request_id)
            kind = refused.kind
            answer = _problem_response(refused, request_id, is_inference=scope["path"].startswith("/v2/"))
        if cycle is None:
            await _send_asgi(send, answer, request_id)
        else:
            if cycle.flow.write_paused and not cycle.disconnected:
                await cycle.flow.drain()
            _write_to_cycle(cycle, answer, request_id)
        name, seconds = operation.name if operation else "unmatched", perf_counter() - began
        self.request_metrics.observe(name, answer.status, seconds)
        if self.access_log.should_log(answer.status, seconds):
            address = scope["client"][0] if scope["client"] else ""
            self.access_log.write_line(
                name, answer.status, round(seconds * 1000, 3), request_id, caller, address, kind=kind
            )

    async def _authorize(
        self,
        scope: Any,
        headers: Mapping[bytes, bytes],
        route: Route,
        path_params: Mapping[str, str],
        request_id: str,
    ) -> HttpRequest:
        """Return the call of somebody who may do this; the body has still to come."""
        address = scope["client"][0] if scope["client"] else ""
        if not route.is_probe:
            if len(self.connections) > self.max_connections:
                raise HttpProblem("overloaded", _OVERLOADED_DETAIL, headers={"Retry-After": "1", "Connection": "close"})
            self.trusted_hosts.check(headers)
        access = self.authenticator
        principal = (
            UNRESTRICTED if access.allows_everyone else await access.authorize(headers, route.role or "", address)
        )
        return HttpRequest(
            scope["method"], scope["path"], scope["query_string"], headers, request_id, principal, path_params
        )

    async def _handle(self, route: Route, request: HttpRequest, receive: Receive, cycle: Any) -> HttpResponse:
        if not route.request_media_types:
            return await route.handler(request)
        if request.query_string:
            request.check_query_params(route.query_params)
        self._check_content_type(route, request)
        self._check_content_length(request.headers)
        body = None if cycle is None else take_complete_body(cycle)
        request.body = await self._read_body(receive) if body is None else self._check_body_size(body)
        size = len(request.body)
        if not self.concurrency_limiter.acquire(size):
            request.body = b""
            await asyncio.sleep(self.refusal_pacer.wait_s())
            raise HttpProblem("overloaded", _OVERLOADED_DETAIL, headers={"Retry-After": "1"})
        try:
            return await route.handler(request)
        finally:
            self.concurrency_limiter.release(size)

    def _check_content_type(self, route: Route, request: HttpRequest) -> None:
        kind = request.media_type
        if kind not in route.request_media_types and not (route.allows_missing_content_type and not kind):
            hint = ""
            if kind in ("", "application/x-www-form-urlencoded"):
                hint = "; with curl, add -H 'Content-Type: application/json'"
            raise HttpProblem(
                "unsupported-media-type",
                f"header Content-Type: accepted is {' or '.join(route.request_media_types)}{hint}",
            )
        if request.headers.get(b"content-encoding", b"identity") != b"identity":
            raise HttpProblem("unsupported-media-type", "header Content-Encoding: send the body as it is, not packed")

    def _check_content_length(self, headers: Mapping[bytes, bytes]) -> None:
        length = headers.get(b"content-length")
        if length is not None and int(length) > self.max_body_bytes:
            raise self._too_large_problem()

    def _check_body_size(self, body: bytes) -> bytes:
        if len(body) > self.max_body_bytes:
            raise self._too_large_problem()
        return body

    async def _read_body(self, receive: Receive) -> bytes:
        """Return the body, read within limits; what has arrived of bodies counts for all requests together."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        if not message["more_body"]:
            return self._check_body_size(message["body"])
        return await self._read_chunks(message, receive)

    async def _read_chunks(self, message: Any, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                part = message["body"]
                parts.append(part)
                size += len(part)
                self.n_buffered_bytes += len(part)
                if size > self.max_body_bytes:
                    raise self._too_large_problem()
                if self.n_buffered_bytes > 4 * max(self.max_body_bytes, self.concurrency_limiter.max_bytes):
                    raise HttpProblem("overloaded", _OVERLOADED_DETAIL, headers={"Retry-After": "1"})
                if not message["more_body"]:
                    return b"".join(parts)
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnected
        finally:
            self.n_buffered_bytes -= size

    def _too_large_problem(self) -> HttpProblem:
        return HttpProblem(
            "too-large",
            f"a body has at most {self.max_body_bytes:,} bytes; send fewer rows at a time, or `mlops predict FILE`",
        )

    def _to_problem(self, error: Exception, request_id: str) -> HttpProblem:
        """Return the problem document of an error, and log an error that is not ours."""
        if isinstance(error, HttpProblem):
            return error
        if not isinstance(error, MlopsError):
            self.access_log.logger.error("bug", request_id=request_id, exc_info=error)
        return problems.problem_from_error(error)


def _problem_response(problem: HttpProblem, request_id: str, *, is_inference: bool) -> HttpResponse:
    return HttpResponse(
        problems.problem_document(problem, request_id=request_id, is_inference=is_inference),
        problem.status,
        problems.MEDIA_TYPE,
        [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()],
    )


def _write_to_cycle(cycle: Any, response: HttpResponse, request_id: str) -> None:
    """Answer a request of our own server, in one piece."""
    head = _RESPONSE_HEAD % (response.media_type, len(response.body), request_id.encode())
    closes = False
    for name, value in response.headers:
        head += b"%b: %b\r\n" % (name, value)
        closes = closes or name == b"connection"
    write_response(cycle, response.status, head, response.body, closes_connection=closes)


async def _send_asgi(send: Send, response: HttpResponse, request_id: str) -> None:
    headers = [
        (b"content-type", response.media_type),
        (b"content-length", str(len(response.body)).encode()),
        (b"x-request-id", request_id.encode()),
        *_SECURITY_HEADERS,
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
