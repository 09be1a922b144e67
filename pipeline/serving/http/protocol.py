"""Extend uvicorn's HTTP protocol by timeouts for headers, body and response, and by a limit for headers.

uvicorn waits for a slow client without end and accepts headers of any size. Each deadline is a time that
`close_expired` compares ten times a second, so a request needs no timer. A request that has arrived completely runs
at once, and gets a task only when it waits for something.

A request that has arrived completely gets its own response, whatever follows it on the connection: a problem with later
bytes is reported after that response. A request to upgrade to another protocol gets its response in HTTP/1.1, as
RFC 9110 section 7.8 allows.

The parts of uvicorn that this module uses are private: `test_uvicorn_internals.py` names each of them, and
pyproject.toml has an upper bound. docs/decisions/0026-deadline-protocol-over-uvicorn.md says why.
"""

from __future__ import annotations

import types
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from pipeline.serving.http import problems
from pipeline.serving.http.problems import HttpProblem

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Generator

__all__ = ["CYCLE_KEY", "DeadlineProtocol", "Timeouts", "close_expired", "take_complete_body", "write_response"]

# Key of the ASGI scope under which the application finds uvicorn's RequestResponseCycle.
CYCLE_KEY = "mlops.cycle"

_MAX_HEADER_BYTES = 65_536
# From this size on, a response is cheaper to write in pieces than to copy into one.
_WRITELINES_MIN_BYTES = 65_536
# How long an idle connection stays open at shutdown, for a request that is already on its way.
_DRAIN_GRACE_S = 0.5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a client may take to send its headers, to send its body, and to read a response."""

    header_s: float
    body_s: float
    response_s: float


class DeadlineProtocol(HttpToolsProtocol):
    """One connection. `timeouts` is set once, before the server starts."""

    timeouts = Timeouts(5, 9, 9)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout of the first headers."""
        super().connection_made(transport)
        self._n_header_bytes = 0
        self._in_headers = True
        self._is_draining = False
        self._is_parsing = False
        self._is_upgrade = False
        self._pending_start: tuple[Any, Any] | None = None
        self._active_cycle: Any = None
        self._late_problem: tuple[str, str] | None = None
        self._is_half_closed = False
        self._idle_until: float | None = None
        self._write_paused_at: float | None = None
        self._deadline: float | None = self.loop.time() + self.timeouts.header_s

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, and refuse headers that are too large."""
        if self.transport.is_closing() or self._late_problem is not None:
            return
        self._idle_until = None
        if self._in_headers:
            self._n_header_bytes += len(data)
        self._is_parsing = True
        self._parse(data)
        self._is_parsing = False
        if self._pending_start is not None:
            (cycle, app), self._pending_start = self._pending_start, None
            if not cycle.more_body:
                self._run_until_first_wait(cycle.run_asgi(app))
            elif not self.transport.is_closing():
                super()._start_asgi_task(cycle, app)
        if self._in_headers and self._n_header_bytes > _MAX_HEADER_BYTES:
            self._send_problem(
                "head-too-large",
                f"the headers of a request have at most {_MAX_HEADER_BYTES:,} bytes; send fewer or shorter headers",
            )

    def _parse(self, data: bytes) -> None:
        """Parse bytes; the headers of a request for an upgrade once more, without it.

        The parser takes the body of such a request for bytes of the other protocol.
        """
        unparsed = memoryview(data)
        try:
            while unparsed:
                try:
                    self.parser.feed_data(unparsed)
                except httptools.HttpParserUpgrade as upgrade:
                    if not self._is_upgrade:
                        return
                    unparsed = unparsed[upgrade.args[0] :]
                    headers = self._headers_without_upgrade()
                    self.parser = httptools.HttpRequestParser(self)
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
                    self.parser.feed_data(headers)
                else:
                    return
        except httptools.HttpParserCallbackError:
            self.send_400_response("the target cannot be parsed, or is the address of another host")
        except httptools.HttpParserError as error:
            self.send_400_response(str(error))

    def _headers_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%b %b HTTP/%b\r\n%b\r\n" % (self.parser.get_method(), self.url, version, b"".join(lines))

    def eof_received(self) -> bool:  # type: ignore[override]  # the base class lets the transport close
        """Keep the connection of a client that sends no more and waits for responses."""
        self._is_half_closed = self._awaits_response()
        return self._is_half_closed

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._active_cycle = cycle
        if self._is_parsing and self._pending_start is None:
            self._pending_start = (cycle, app)  # the bytes that are being parsed may contain the body
        else:
            super()._start_asgi_task(cycle, app)

    def _run_until_first_wait(self, coroutine: Coroutine[Any, Any, None]) -> None:
        context = copy_context()  # one context for all steps, as a task has
        try:
            awaited = context.run(coroutine.send, None)
        except StopIteration:
            return
        task = self.loop.create_task(_resume(coroutine, awaited), context=context)
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def on_message_begin(self) -> None:
        """Start the timeout of the headers."""
        super().on_message_begin()
        self._in_headers, self._n_header_bytes = True, 0
        self._deadline = self.loop.time() + self.timeouts.header_s

    def on_headers_complete(self) -> None:
        """Start the timeout of the body."""
        # CONNECT asks for a tunnel, whatever its headers are.
        self._is_upgrade = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._is_upgrade:
            return
        if not self.url.startswith((b"/", b"*")):
            self._require_own_host()
        self._in_headers = False
        self._deadline = self.loop.time() + self.timeouts.body_s
        super().on_headers_complete()
        if self.cycle is not None:
            scope: dict[str, Any] = self.cycle.scope  # type: ignore[assignment]
            scope[CYCLE_KEY] = self.cycle
            if self._is_draining:
                self.cycle.keep_alive = False

    def _require_own_host(self) -> None:
        """Raise for an absolute target of another host than that of the header: only a proxy may forward it."""
        authority = self.url.partition(b"://")[2].partition(b"/")[0]
        if authority.lower() != dict(self.headers).get(b"host", b"").lower():
            raise ValueError(self.url)

    def on_message_complete(self) -> None:
        """Stop the timeout: the request has arrived."""
        if self._is_upgrade:
            return
        self._deadline = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the next pipelined request, or the keep-alive timeout."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._active_cycle, app = self.pipeline.pop()
            super()._start_asgi_task(self._active_cycle, app)
        elif self._late_problem is not None:
            self._send_problem(*self._late_problem)
        elif self._is_half_closed:
            self.transport.close()
        else:
            self._idle_until = self.loop.time() + self.timeout_keep_alive

    def pause_writing(self) -> None:
        """Start the timeout of the response: the client does not read it."""
        self._write_paused_at = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop the timeout of the response."""
        self._write_paused_at = None
        super().resume_writing()

    def close_expired(self, now: float) -> None:
        """Close the connection if one of its deadlines is over."""
        if self._write_paused_at is not None and now > self._write_paused_at + self.timeouts.response_s:
            self.transport.abort()
        elif self._idle_until is not None and now > self._idle_until:
            self.timeout_keep_alive_handler()
        elif self._deadline is not None and now > self._deadline:
            if self._has_active_response():
                self._deadline = now + self.timeouts.header_s
                return
            self._deadline = None
            late_part = "headers" if self._in_headers else "body"
            self._send_problem(
                "too-slow", f"the {late_part} of the request did not arrive in time; send without a pause"
            )

    def send_400_response(self, msg: str) -> None:
        """Respond to bytes that are not HTTP with a problem document, as to any other error."""
        self._deadline = None
        self._send_problem("bad-request", f"the request is not valid HTTP/1.1 (RFC 9112): {msg}")

    def shutdown(self) -> None:
        """Close after the current response, or after a pause in which a request on its way may arrive."""
        self._is_draining = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_DRAIN_GRACE_S, super().shutdown)
        else:
            self.cycle.keep_alive = False

    def _awaits_response(self) -> bool:
        """Whether a request that has arrived completely has no complete response."""
        cycle = self._active_cycle
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def _has_active_response(self) -> bool:
        """Whether the late bytes belong to a request behind one whose response is not complete."""
        return self._in_headers and self.cycle is not None and not self.cycle.response_complete

    def _send_problem(self, kind: str, detail: str) -> None:
        """Write a problem document without the application, and close; during a response, only close.

        The problem is that of the last request: it waits for the responses to those before it.
        """
        if self.transport.is_closing():
            return
        if self._awaits_response():
            self._late_problem, self._deadline = (kind, detail), None
            while self.pipeline and self.pipeline[0][0].more_body:
                self.pipeline.popleft()
            return
        cycle = self.cycle
        # The refused request may have its response already, complete (its body was too large) or in part.
        has_response = not self._in_headers and cycle is not None and cycle.response_started
        is_partly_sent = cycle is not None and cycle.response_started and not cycle.response_complete
        if not (has_response or is_partly_sent):
            problem = HttpProblem(kind, detail)
            body = problems.problem_document(problem, request_id="")
            headers: list[tuple[bytes, bytes]] = [
                *self.server_state.default_headers,
                (b"content-type", problems.PROBLEM_MEDIA_TYPE),
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
                (b"connection", b"close"),
            ]
            lines = b"".join([name + b": " + value + b"\r\n" for name, value in headers])
            self.transport.write(STATUS_LINE[problem.status] + lines + b"\r\n" + body)
        self._in_headers = False
        self.transport.close()


@types.coroutine
def _resume(coroutine: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Run the rest of a coroutine that was started without a task and now waits for `awaited`."""
    resume: Any
    result: Any
    while True:
        try:
            result = yield awaited
        except BaseException as error:  # noqa: BLE001 - raised inside the coroutine
            resume, result = coroutine.throw, error
        else:
            resume = coroutine.send
        try:
            awaited = resume(result)
        except StopIteration:
            return


def take_complete_body(cycle: Any) -> bytes | None:
    """Return the body if it has arrived completely, as uvicorn's `receive` would; otherwise None: call `receive`."""
    if cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected or cycle.response_complete:
        return None
    body = bytes(cycle.body)
    cycle.body = bytearray()
    return body


def write_response(cycle: Any, status: int, head: bytes, body: bytes, *, closes_connection: bool) -> None:
    """Write a complete response as one packet, in place of two calls of uvicorn's `send`.

    Parameters
    ----------
    cycle : RequestResponseCycle
        Its flow control must not be paused.
    status : int
    head : bytes
        Header lines, Content-Length among them. They are not checked, because they are our own.
    body : bytes
    closes_connection : bool
        Whether `head` has `Connection: close`.
    """
    if cycle.disconnected:
        return
    cycle.response_started, cycle.waiting_for_100_continue = True, False
    default_lines = b"".join([b"%b: %b\r\n" % header for header in cycle.default_headers])
    if closes_connection:
        cycle.keep_alive = False
    end = b"\r\n" if cycle.keep_alive or closes_connection else b"connection: close\r\n\r\n"
    parts = (STATUS_LINE[status], default_lines, head, end, b"" if cycle.scope["method"] == "HEAD" else body)
    if len(body) > _WRITELINES_MIN_BYTES:
        cycle.transport.writelines(parts)
    else:
        cycle.transport.write(b"".join(parts))
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def close_expired(connections: Any, now: float) -> None:
    """Close each connection that has exceeded a deadline; `now` is the time of the event loop."""
    for connection in list(connections):
        connection.close_expired(now)
