"""The ASGI application: every request takes the same path from its headers to the last byte of its response."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pipeline.errors import MlopsError
from pipeline.serving.concurrency import run_in_thread_if_large
from pipeline.serving.http import problems
from pipeline.serving.http.authentication import UNRESTRICTED
from pipeline.serving.http.content_encoding import decode_body, decoded_size, is_encoded, require_known_encoding
from pipeline.serving.http.limits import RefusalPacer
from pipeline.serving.http.loopback import is_loopback
from pipeline.serving.http.messages import (
    ClientDisconnected,
    HttpRequest,
    HttpResponse,
    check_single_headers,
    is_opted_out,
    request_id_from,
)
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.http.protocol import CYCLE_KEY, take_complete_body, write_response

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.serving.http.access_log import AccessLog
    from pipeline.serving.http.authentication import Authenticator
    from pipeline.serving.http.limits import ConcurrencyLimiter
    from pipeline.serving.http.messages import Receive, Send
    from pipeline.serving.http.router import Route, Router
    from pipeline.serving.http.server_metrics import RequestMetrics

__all__ = ["Application", "ServerStatus", "TrustedHosts"]

_SECURITY_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_RESPONSE_HEAD = b"content-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n" + b"".join(
    b"%b: %b\r\n" % header for header in _SECURITY_HEADERS
)
# The status that nginx logs for a client that closed its connection before the response.
_CLIENT_CLOSED_REQUEST = 499
_OVERLOADED_DETAIL = "the server is at its limit of concurrent work; retry after 1 s"


@dataclass(frozen=True, slots=True)
class TrustedHosts:
    """Host names that requests may be addressed to; they keep pages of other sites from reaching the server.

    An empty set accepts every name, for servers that require credentials.
    """

    names: frozenset[bytes]

    def check(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a request to another host name, or from a page of another site.

        Raises
        ------
        HttpProblem
            With 403.
        """
        if not self.names:
            return
        host = headers.get(b"host", b"")
        if _hostname(host) not in self.names:
            raise HttpProblem(
                "host-refused", "the name in Host is not one of this server's; add it to serving.allowed_hosts"
            )
        origin = headers.get(b"origin")
        if origin is not None and not self._is_own_origin(origin.lower(), host.lower()):
            raise HttpProblem(
                "origin-refused", "requests from web pages of other sites are refused; call from a program"
            )

    def _is_own_origin(self, origin: bytes, host: bytes) -> bool:
        """Whether a page is of this server or of a declared name; another port of this machine is another site."""
        page_host = origin.partition(b"://")[2]
        name = _hostname(page_host)
        return page_host == host or (name in self.names and not is_loopback(name.strip(b"[]").decode("latin-1")))


@lru_cache(256)
def _hostname(host: bytes) -> bytes:
    """Return a host without its port."""
    if host.startswith(b"["):
        return host.partition(b"]")[0].lower() + b"]"
    return host.partition(b":")[0].lower()


@dataclass(slots=True)
class ServerStatus:
    """The open connections of the server, and whether it is about to stop; the server updates both."""

    connections: Collection[Any] = ()
    is_draining: bool = False


@dataclass(slots=True)
class Application:
    """Handles requests: host, credentials, body, concurrency, handler, response, metrics and log.

    Parameters
    ----------
    router : Router
    authenticator : Authenticator
    trusted_hosts : TrustedHosts
    concurrency_limiter : ConcurrencyLimiter
    request_metrics : RequestMetrics
    access_log : AccessLog
    max_body_bytes : int
        Largest request body.
    max_connections : int
        With more open connections, only probes are handled.
    server_status : ServerStatus
    n_buffered_bytes : int
        Bytes of request bodies that have arrived in part.
    refusal_pacer : RefusalPacer
    """

    router: Router
    authenticator: Authenticator
    trusted_hosts: TrustedHosts
    concurrency_limiter: ConcurrencyLimiter
    request_metrics: RequestMetrics
    access_log: AccessLog
    max_body_bytes: int
    max_connections: int
    server_status: ServerStatus = field(default_factory=ServerStatus)
    n_buffered_bytes: int = 0
    refusal_pacer: RefusalPacer = field(default_factory=RefusalPacer)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        started_s = perf_counter()
        route: Route | None = None
        caller_id, request_id, problem_kind = "", "", None
        # Popped, because a scope and a cycle that refer to each other are garbage that only a collection finds.
        cycle = scope.pop(CYCLE_KEY, None)
        try:
            raw_headers = scope["headers"]
            headers = dict(raw_headers)
            request_id = request_id_from(headers)
            if len(headers) != len(raw_headers):
                check_single_headers(raw_headers)
            route, path_params = self.router.find(scope["method"], scope["path"])
            request = await self._authorize(scope, headers, route, path_params, request_id)
            caller_id = request.principal.id
            response = await self._handle(route, request, receive, cycle)
        except (ClientDisconnected, asyncio.CancelledError) as error:
            self.request_metrics.observe(_route_name(route), _CLIENT_CLOSED_REQUEST, perf_counter() - started_s)
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        except Exception as error:  # noqa: BLE001 - the outer edge: every error becomes a problem document
            problem = self.to_problem(error, request_id)
            problem_kind = problem.kind
            response = _problem_response(problem, request_id, path=scope["path"])
        if cycle is None:
            await _send_asgi(send, response, request_id)
        else:
            if cycle.flow.write_paused and not cycle.disconnected:
                await cycle.flow.drain()
            _write_to_cycle(cycle, response, request_id)
        name, duration_s = _route_name(route), perf_counter() - started_s
        self.request_metrics.observe(name, response.status, duration_s)
        if self.access_log.should_log(response.status, duration_s) or is_opted_out(scope["query_string"]):
            line = (name, response.status, round(duration_s * 1000, 3), request_id, caller_id, _client_address(scope))
            self.access_log.write_line(*line, kind=problem_kind)

    async def _authorize(
        self,
        scope: Any,
        headers: Mapping[bytes, bytes],
        route: Route,
        path_params: Mapping[str, str],
        request_id: str,
    ) -> HttpRequest:
        """Return the request of an authorized caller; its body is not read yet."""
        if not route.is_probe:
            if len(self.server_status.connections) > self.max_connections:
                raise HttpProblem("overloaded", _OVERLOADED_DETAIL, headers={"Retry-After": "1", "Connection": "close"})
            self.trusted_hosts.check(headers)
        principal = (
            UNRESTRICTED
            if self.authenticator.allows_everyone
            else await self.authenticator.authorize(
                headers, route.accepted_roles(scope["query_string"]), _client_address(scope)
            )
        )
        return HttpRequest(
            scope["method"], scope["path"], scope["query_string"], headers, request_id, principal, path_params
        )

    async def _handle(self, route: Route, request: HttpRequest, receive: Receive, cycle: Any) -> HttpResponse:
        if not route.accepts:
            return await route.handler(request)
        if request.query_string:
            request.check_query_params(route.query_params)
        self._check_content_type(route, request)
        self._check_content_length(request.headers)
        body = None if cycle is None else take_complete_body(cycle)
        request.body = await self._read_body(receive) if body is None else self._check_body_size(body)
        is_gzip = is_encoded(request.headers)
        size = len(request.body) + (self._checked_decoded_size(request.body) if is_gzip else 0)
        if not self.concurrency_limiter.acquire(size):
            request.body = b""
            raise await self.shed()
        try:
            if is_gzip:
                request.body = await run_in_thread_if_large(size, decode_body, request.body)
            return await route.handler(request)
        finally:
            self.concurrency_limiter.release(size)

    async def shed(self) -> HttpProblem:
        """Wait, so that refusals stay cheap, and return the problem of a request that was not admitted."""
        await asyncio.sleep(self.refusal_pacer.wait_s())
        return HttpProblem("overloaded", _OVERLOADED_DETAIL, headers={"Retry-After": "1"})

    def _check_content_type(self, route: Route, request: HttpRequest) -> None:
        media_type = request.media_type
        if media_type not in route.accepts and not (route.allows_missing_content_type and not media_type):
            hint = ""
            if media_type in ("", "application/x-www-form-urlencoded"):
                hint = "; with curl, add -H 'Content-Type: application/json'"
            raise HttpProblem(
                "unsupported-media-type",
                f"header Content-Type: expected {' or '.join(route.accepts)}{hint}",
            )
        require_known_encoding(request.headers)

    def _check_content_length(self, headers: Mapping[bytes, bytes]) -> None:
        length = headers.get(b"content-length")
        if length is not None and int(length) > self.max_body_bytes:
            raise self._too_large_problem()

    def _checked_decoded_size(self, body: bytes) -> int:
        size = decoded_size(body)
        if size > self.max_body_bytes:
            raise self._too_large_problem()
        return size

    def _check_body_size(self, body: bytes) -> bytes:
        if len(body) > self.max_body_bytes:
            raise self._too_large_problem()
        return body

    async def _read_body(self, receive: Receive) -> bytes:
        """Return the body within its limits; bytes of unfinished bodies count for all requests together."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        if not message["more_body"]:
            return self._check_body_size(message["body"])
        return await self._read_chunks(message, receive)

    async def _read_chunks(self, message: Any, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                chunk = message["body"]
                chunks.append(chunk)
                size += len(chunk)
                self.n_buffered_bytes += len(chunk)
                if size > self.max_body_bytes:
                    raise self._too_large_problem()
                if self.n_buffered_bytes > 4 * max(self.max_body_bytes, self.concurrency_limiter.max_bytes):
                    raise HttpProblem("overloaded", _OVERLOADED_DETAIL, headers={"Retry-After": "1"})
                if not message["more_body"]:
                    return b"".join(chunks)
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnected
        finally:
            self.n_buffered_bytes -= size

    def _too_large_problem(self) -> HttpProblem:
        return HttpProblem(
            "too-large",
            f"a body has at most {self.max_body_bytes:,} bytes; send fewer rows at a time, or run `mlops predict FILE`",
        )

    def to_problem(self, error: Exception, request_id: str) -> HttpProblem:
        """Return the problem document of an error, and log an error that is not ours."""
        if isinstance(error, HttpProblem):
            return error
        if not isinstance(error, MlopsError):
            self.access_log.logger.error("bug", request_id=request_id, exc_info=error)
        return problems.problem_from_error(error)


def _route_name(route: Route | None) -> str:
    return route.name if route is not None else "unmatched"


def _client_address(scope: Any) -> str:
    return scope["client"][0] if scope["client"] else ""


def _problem_response(problem: HttpProblem, request_id: str, *, path: str) -> HttpResponse:
    return HttpResponse(
        problems.problem_document(problem, request_id=request_id, is_inference=problems.is_inference_path(path)),
        problem.status,
        problems.problem_media_type(path),
        [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()],
    )


def _write_to_cycle(cycle: Any, response: HttpResponse, request_id: str) -> None:
    """Write a response through the connection of our own server, as one packet."""
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
