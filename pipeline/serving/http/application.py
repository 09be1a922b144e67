"""The ASGI application: from the head of a request to the last byte of its answer, for every operation alike."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pipeline.errors import Conflict, DependencyUnavailable, MlopsError
from pipeline.serving.contracts import BodyRefused, NotReady
from pipeline.serving.http import problems
from pipeline.serving.http.access import EVERYBODY
from pipeline.serving.http.calls import Answer, Call, Disconnected, check_single, request_id_of
from pipeline.serving.http.connection import CYCLE, whole_body, write_answer
from pipeline.serving.http.limits import Pace
from pipeline.serving.http.problems import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.serving.http.access import Access
    from pipeline.serving.http.calls import Receive, Send
    from pipeline.serving.http.limits import Admission
    from pipeline.serving.http.logs import RequestLog
    from pipeline.serving.http.metrics import Metrics
    from pipeline.serving.http.operations import Operation, Routes

__all__ = ["Application", "Hosts"]

_FIXED = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_HEAD = b"content-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n" + b"".join(
    b"%b: %b\r\n" % one for one in _FIXED
)
_OVERLOADED = "the server has as much work as it can do; come back in 1 s"


@dataclass(frozen=True, slots=True)
class Hosts:
    """Which names the server answers to; a web page elsewhere must not reach it through a name of its own.

    An empty set accepts every name, which is for servers that ask for credentials.
    """

    names: frozenset[bytes]

    def check(self, fields: Mapping[bytes, bytes]) -> None:
        """Refuse a request that is meant for another name, or comes from a page of another site."""
        if not self.names:
            return
        host = fields.get(b"host", b"")
        if _name(host) not in self.names:
            raise Refused("host-refused", "this server does not answer to the name in Host; see serving.hosts")
        origin = fields.get(b"origin")
        if origin is not None and _name(origin.partition(b"://")[2]) not in self.names:
            raise Refused("origin-refused", "web pages of other sites are not answered; call from a program")


@lru_cache(256)
def _name(host: bytes) -> bytes:
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

    routes: Routes
    access: Access
    hosts: Hosts
    admission: Admission
    metrics: Metrics
    log: RequestLog
    max_body: int
    max_connections: int
    connections: Any = ()
    is_draining: bool = False
    n_buffered: int = 0
    refusals: Pace = field(default_factory=Pace)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        began = perf_counter()
        operation: Operation | None = None
        caller, request_id, kind = "", "", None
        # Taken out: what knows its scope and is known by it would be garbage that only a collection finds.
        cycle = scope.pop(CYCLE, None)
        try:
            raw = scope["headers"]
            fields = dict(raw)
            request_id = request_id_of(fields)
            if len(fields) != len(raw):
                check_single(raw)
            operation, parameters = self.routes.find(scope["method"], scope["path"])
            call = await self._let_in(scope, fields, operation, parameters, request_id)
            caller = call.principal.id
            answer = await self._answer(operation, call, receive, cycle)
        except (Disconnected, asyncio.CancelledError):
            self.metrics.observe(operation.name if operation else "unmatched", 499, perf_counter() - began)
            return
        except Exception as error:  # noqa: BLE001 - the outer edge: every error becomes a problem document
            refused = self._told(error, request_id)
            kind = refused.kind
            answer = _problem(refused, request_id, is_inference=scope["path"].startswith("/v2/"))
        if cycle is None:
            await _send(send, answer, request_id)
        else:
            if cycle.flow.write_paused and not cycle.disconnected:
                await cycle.flow.drain()
            _write(cycle, answer, request_id)
        name, seconds = operation.name if operation else "unmatched", perf_counter() - began
        self.metrics.observe(name, answer.status, seconds)
        if self.log.wants(answer.status, seconds):
            address = scope["client"][0] if scope["client"] else ""
            self.log.write(name, answer.status, round(seconds * 1000, 3), request_id, caller, address, kind=kind)

    async def _let_in(
        self,
        scope: Any,
        fields: Mapping[bytes, bytes],
        operation: Operation,
        parameters: Mapping[str, str],
        request_id: str,
    ) -> Call:
        """Return the call of somebody who may do this; the body has still to come."""
        address = scope["client"][0] if scope["client"] else ""
        if not operation.is_probe:
            if len(self.connections) > self.max_connections:
                raise Refused("overloaded", _OVERLOADED, headers={"Retry-After": "1", "Connection": "close"})
            self.hosts.check(fields)
        access = self.access
        principal = EVERYBODY if access.is_open else await access.admit(fields, operation.role or "", address)
        return Call(scope["method"], scope["path"], scope["query_string"], fields, request_id, principal, parameters)

    async def _answer(self, operation: Operation, call: Call, receive: Receive, cycle: Any) -> Answer:
        if not operation.accepts:
            return await operation.handler(call)
        if call.query_string:
            call.check_query(operation.queries)
        self._check_kind(operation, call)
        self._check_length(call.fields)
        body = None if cycle is None else whole_body(cycle)
        call.body = await self._body(receive) if body is None else self._bounded(body)
        size = len(call.body)
        if not self.admission.enter(size):
            call.body = b""
            await asyncio.sleep(self.refusals.wait_s())
            raise Refused("overloaded", _OVERLOADED, headers={"Retry-After": "1"})
        try:
            return await operation.handler(call)
        finally:
            self.admission.leave(size)

    def _check_kind(self, operation: Operation, call: Call) -> None:
        kind = call.media_type
        if kind not in operation.accepts and not (operation.kind_may_be_missing and not kind):
            hint = ""
            if kind in ("", "application/x-www-form-urlencoded"):
                hint = "; with curl, add -H 'Content-Type: application/json'"
            raise Refused(
                "unsupported-media-type", f"header Content-Type: accepted is {' or '.join(operation.accepts)}{hint}"
            )
        if call.fields.get(b"content-encoding", b"identity") != b"identity":
            raise Refused("unsupported-media-type", "header Content-Encoding: send the body as it is, not packed")

    def _check_length(self, fields: Mapping[bytes, bytes]) -> None:
        length = fields.get(b"content-length")
        if length is not None and int(length) > self.max_body:
            raise self._too_large()

    def _bounded(self, body: bytes) -> bytes:
        if len(body) > self.max_body:
            raise self._too_large()
        return body

    async def _body(self, receive: Receive) -> bytes:
        """Return the body, read within limits; what has arrived of bodies counts for all requests together."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        if not message["more_body"]:
            return self._bounded(message["body"])
        return await self._rest_of_body(message, receive)

    async def _rest_of_body(self, message: Any, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                part = message["body"]
                parts.append(part)
                size += len(part)
                self.n_buffered += len(part)
                if size > self.max_body:
                    raise self._too_large()
                if self.n_buffered > 4 * max(self.max_body, self.admission.max_bytes):
                    raise Refused("overloaded", _OVERLOADED, headers={"Retry-After": "1"})
                if not message["more_body"]:
                    return b"".join(parts)
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
        finally:
            self.n_buffered -= size

    def _too_large(self) -> Refused:
        return Refused(
            "too-large",
            f"a body has at most {self.max_body:,} bytes; send fewer rows at a time, or `mlops predict FILE`",
        )

    def _told(self, error: Exception, request_id: str) -> Refused:
        """Return what the caller is told of an error; of our own faults nothing but where to look."""
        if isinstance(error, Refused):
            return error
        if isinstance(error, BodyRefused):
            return _of_body(error)
        if isinstance(error, NotReady):
            return Refused("not-ready", str(error), headers={"Retry-After": str(error.retry_after_s)})
        if isinstance(error, Conflict):
            return Refused("conflict", str(error))
        if isinstance(error, DependencyUnavailable):
            return Refused("not-ready", "something that is needed cannot be had now", headers={"Retry-After": "2"})
        if not isinstance(error, MlopsError):
            self.log.logger.error("bug", request_id=request_id, exc_info=error)
        return Refused("bug", "this is a bug of ours; the server's log has it under the request_id")


def _of_body(error: BodyRefused) -> Refused:
    kind = {400: "invalid-json", 413: "too-large"}.get(error.status, "invalid-rows")
    if [one.rule for one in error.problems] == ["idempotency_key"]:
        kind = "key-conflict"
    elif error.problems and all(one.path.endswith("prediction_id") and one.rule == "unknown" for one in error.problems):
        kind = "unknown-prediction"
    told = [{"path": one.path, "rule": one.rule, "message": one.message} for one in error.problems]
    return Refused(kind, str(error), problems=told, n_problems=error.n_problems)


def _problem(refused: Refused, request_id: str, *, is_inference: bool) -> Answer:
    return Answer(
        problems.document(refused, request_id=request_id, is_inference=is_inference),
        refused.status,
        problems.MEDIA_TYPE,
        [(name.lower().encode(), value.encode()) for name, value in refused.headers.items()],
    )


def _write(cycle: Any, answer: Answer, request_id: str) -> None:
    """Answer a request of our own server, in one piece."""
    head = _HEAD % (answer.media_type, len(answer.body), request_id.encode())
    closes = False
    for name, value in answer.headers:
        head += b"%b: %b\r\n" % (name, value)
        closes = closes or name == b"connection"
    write_answer(cycle, answer.status, head, answer.body, closes=closes)


async def _send(send: Send, answer: Answer, request_id: str) -> None:
    headers = [
        (b"content-type", answer.media_type),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-request-id", request_id.encode()),
        *_FIXED,
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
