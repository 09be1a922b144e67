"""A connection with deadlines: head, body and the reading of answers must get on, or it is cut.

uvicorn waits for a slow sender for ever and lets a head grow without end. The deadlines are moments that a sweep
of all connections looks at ten times a second, so that a request costs no timer. A request that came whole is begun
at once and gets a task only when it has to wait for something, as most do not.
"""

from __future__ import annotations

import types
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from pipeline.serving.http import problems
from pipeline.serving.http.problems import HttpProblem

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Generator

__all__ = ["CYCLE_KEY", "DeadlineProtocol", "Timeouts", "close_expired", "take_complete_body", "write_response"]

# Where the application finds what uvicorn knows of a request.
CYCLE_KEY = "mlops.cycle"

_MAX_HEAD_BYTES = 65_536
# An answer that costs more to copy than its pieces to hand over.
_WRITELINES_MIN_BYTES = 65_536
# A request that is on the wire when the server is told to stop gets this long to arrive.
_DRAIN_GRACE_S = 0.5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a client may take: for the head, for the body, to take up an answer."""

    head_s: float
    body_s: float
    response_s: float


class DeadlineProtocol(HttpToolsProtocol):
    """One client. `deadlines` is set once, before the server starts."""

    timeouts = Timeouts(5, 9, 9)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._n_head_bytes = 0
        self._in_head = True
        self._is_draining = False
        self._is_parsing = False
        self._pending_start: tuple[Any, Any] | None = None
        self._idle_until: float | None = None
        self._write_paused_at: float | None = None
        self._deadline: float | None = self.loop.time() + self.timeouts.head_s

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request; of a head only so many."""
        if self.transport.is_closing():
            return
        self._idle_until = None
        if self._in_head:
            self._n_head_bytes += len(data)
        self._is_parsing = True
        super().data_received(data)
        self._is_parsing = False
        if self._pending_start is not None:
            (cycle, app), self._pending_start = self._pending_start, None
            if cycle.more_body:
                super()._start_asgi_task(cycle, app)
            else:
                self._run_until_first_wait(cycle.run_asgi(app))
        if self._in_head and self._n_head_bytes > _MAX_HEAD_BYTES:
            self._send_problem("head-too-large", f"the head of a request has at most {_MAX_HEAD_BYTES:,} bytes")

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if self._is_parsing and self._pending_start is None:
            self._pending_start = (cycle, app)  # the body may be among the bytes that are being read
        else:
            super()._start_asgi_task(cycle, app)

    def _run_until_first_wait(self, coroutine: Coroutine[Any, Any, None]) -> None:
        context = copy_context()  # its own, as a task would have it, from the first step to the last
        try:
            waited = context.run(coroutine.send, None)
        except StopIteration:
            return
        task = self.loop.create_task(_resume(coroutine, waited), context=context)
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def on_message_begin(self) -> None:
        """Start the clock of the head."""
        super().on_message_begin()
        self._in_head, self._n_head_bytes = True, 0
        self._deadline = self.loop.time() + self.timeouts.head_s

    def on_headers_complete(self) -> None:
        """Start the clock of the body."""
        self._in_head = False
        self._deadline = self.loop.time() + self.timeouts.body_s
        super().on_headers_complete()
        if self.cycle is not None:
            scope: dict[str, Any] = self.cycle.scope  # type: ignore[assignment]
            scope[CYCLE_KEY] = self.cycle
            if self._is_draining:
                self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Stop the clock: the request is here."""
        self._deadline = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on to the next request; between two the connection may be idle, for as long as the sweep allows."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            super()._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_until = self.loop.time() + self.timeout_keep_alive

    def pause_writing(self) -> None:
        """Start the clock of the answer: the client does not take it up."""
        self._write_paused_at = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop that clock."""
        self._write_paused_at = None
        super().resume_writing()

    def close_expired(self, now: float) -> None:
        """Cut the connection when a deadline is over."""
        if self._write_paused_at is not None and now > self._write_paused_at + self.timeouts.response_s:
            self.transport.abort()
        elif self._idle_until is not None and now > self._idle_until:
            self.timeout_keep_alive_handler()
        elif self._deadline is not None and now > self._deadline:
            if self._has_active_response():
                self._deadline = now + self.timeouts.head_s
                return
            self._deadline = None
            what = "head" if self._in_head else "body"
            self._send_problem("too-slow", f"the {what} of the request did not arrive in time; send it without a pause")

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a problem document, as everything else."""
        self._deadline = None
        self._send_problem("bad-request", f"this is not HTTP/1.1 as RFC 9112 has it: {msg}")

    def shutdown(self) -> None:
        """Let a client that is about to send its next request send it: its answer then says that we close."""
        self._is_draining = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_DRAIN_GRACE_S, super().shutdown)
        else:
            self.cycle.keep_alive = False

    def _has_active_response(self) -> bool:
        """Whether the slow bytes belong to a request behind one that is still being answered."""
        return self._in_head and self.cycle is not None and not self.cycle.response_complete

    def _send_problem(self, kind: str, detail: str) -> None:
        """Write an answer past the application, and close; or only close where an answer is under way."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        # The request that is refused may have its answer already, whole (its body was too large) or in part.
        has_answer = not self._in_head and cycle is not None and cycle.response_started
        is_under_way = cycle is not None and cycle.response_started and not cycle.response_complete
        if not (has_answer or is_under_way):
            refused = HttpProblem(kind, detail)
            body = problems.problem_document(refused, request_id="")
            fields: list[tuple[bytes, bytes]] = [
                *self.server_state.default_headers,
                (b"content-type", problems.MEDIA_TYPE),
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
                (b"connection", b"close"),
            ]
            head = b"".join([name + b": " + value + b"\r\n" for name, value in fields])
            self.transport.write(STATUS_LINE[refused.status] + head + b"\r\n" + body)
        self._in_head = False
        self.transport.close()


@types.coroutine
def _resume(coroutine: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Run what is left of a coroutine that was begun without a task and waits for something."""
    step: Any
    given: Any
    while True:
        try:
            given = yield awaited
        except BaseException as error:  # noqa: BLE001 - handed on
            step, given = coroutine.throw, error
        else:
            step = coroutine.send
        try:
            awaited = step(given)
        except StopIteration:
            return


def take_complete_body(cycle: Any) -> bytes | None:
    """Return the body of a request that came whole, as uvicorn's `receive` would; None where that has to be asked."""
    if cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected or cycle.response_complete:
        return None
    body = bytes(cycle.body)
    cycle.body = bytearray()
    return body


def write_response(cycle: Any, status: int, head: bytes, body: bytes, *, closes_connection: bool) -> None:
    """Write a whole answer at once: one packet instead of two, and our own fields are not searched for faults.

    The same as uvicorn's `send` called twice, by a caller who has waited for room. `head` has the lines of the fields, the length among them; `closes` says
    that one of them ends the connection.
    """
    if cycle.disconnected:
        return
    cycle.response_started, cycle.waiting_for_100_continue = True, False
    own = b"".join([b"%b: %b\r\n" % field for field in cycle.default_headers])
    if closes_connection:
        cycle.keep_alive = False
    end = b"\r\n" if cycle.keep_alive or closes_connection else b"connection: close\r\n\r\n"
    whole = (STATUS_LINE[status], own, head, end, b"" if cycle.scope["method"] == "HEAD" else body)
    if len(body) > _WRITELINES_MIN_BYTES:
        cycle.transport.writelines(whole)
    else:
        cycle.transport.write(b"".join(whole))
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def close_expired(connections: Any, now: float) -> None:
    """Look at the deadlines of all connections."""
    for connection in list(connections):
        connection.sweep(now)
