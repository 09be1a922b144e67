from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from pipeline.serving.http.protocol import (
    CYCLE_KEY,
    DeadlineProtocol,
    Timeouts,
    close_expired,
    take_complete_body,
    write_response,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADERS = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"
REQUEST = HEADERS + b"body"


class RecordingTransport(asyncio.Transport):
    """Records what a protocol writes, and whether it closes the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False
        self.is_aborted = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def pause_reading(self) -> None:
        """Accept more data than a socket would."""

    def resume_reading(self) -> None:
        """Do nothing: reading never pauses."""


class ProtocolTimeouts(DeadlineProtocol):
    """The protocol with timeouts of its own: those of DeadlineProtocol belong to a running server."""

    timeouts = Timeouts(header_s=5, body_s=9, response_s=7)


async def respond(scope: Any, _receive: Any, _send: Any) -> None:
    """Write the body back at once, if it is complete."""
    cycle = scope.pop(CYCLE_KEY)
    body = take_complete_body(cycle)
    if body is not None:
        head = b"content-type: text/plain\r\ncontent-length: %d\r\n" % len(body)
        write_response(cycle, 200, head, body, closes_connection=False)


async def respond_later(scope: Any, _receive: Any, _send: Any) -> None:
    cycle = scope.pop(CYCLE_KEY)
    await asyncio.sleep(0)
    write_response(cycle, 200, b"content-length: 0\r\n", b"", closes_connection=False)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def connect(loop: asyncio.AbstractEventLoop, application: Any = respond) -> tuple[DeadlineProtocol, RecordingTransport]:
    config = uvicorn.Config(
        application, interface="asgi3", http=ProtocolTimeouts, ws="none", lifespan="off", log_config=None,
        access_log=False, proxy_headers=False, timeout_keep_alive=60,
    )  # fmt: skip
    connection = ProtocolTimeouts(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    transport = RecordingTransport()
    connection.connection_made(transport)
    return connection, transport


def problem(transport: RecordingTransport) -> str:
    return str(json.loads(transport.written.partition(b"\r\n\r\n")[2])["type"].rpartition(":")[2])


@pytest.mark.parametrize(
    ("received", "timeout_s", "late_part"),
    [
        (b"", 5, "headers"),
        (b"POST /a HTTP/1.1\r\nHost: a\r\n", 5, "headers"),
        (HEADERS, 9, "body"),
        (HEADERS + b"bo", 9, "body"),
    ],
)
def test_a_late_request_gets_408_after_its_timeout(
    loop: asyncio.AbstractEventLoop, received: bytes, timeout_s: int, late_part: str
) -> None:
    connection, transport = connect(loop, respond_later)
    if received:
        connection.data_received(received)
    connection.close_expired(loop.time() + timeout_s - 0.5)
    assert not transport.is_closed
    connection.close_expired(loop.time() + timeout_s + 0.1)
    if late_part == "headers":
        assert (transport.written[:13], problem(transport)) == (b"HTTP/1.1 408 ", "too-slow")
        assert f"the {late_part} of the request" in transport.written.decode()
    assert transport.is_closed


def test_a_complete_request_has_no_deadline(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = connect(loop, respond_later)
    connection.data_received(REQUEST)
    connection.close_expired(loop.time() + 1000)
    assert not transport.is_closed


def test_an_idle_connection_is_closed_without_a_response(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = connect(loop)
    connection.data_received(REQUEST)
    written = transport.written
    connection.close_expired(loop.time() + 59)
    assert not transport.is_closed
    connection.close_expired(loop.time() + 60.1)
    assert (transport.is_closed, transport.written) == (True, written)


def test_a_client_that_does_not_read_is_disconnected(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = connect(loop)
    connection.pause_writing()
    connection.close_expired(loop.time() + 4)
    assert not transport.is_aborted
    connection.close_expired(loop.time() + 7.1)
    assert transport.is_aborted


def test_a_client_that_reads_again_stays_connected(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = connect(loop)
    connection.data_received(REQUEST)
    connection.pause_writing()
    connection.resume_writing()
    connection.close_expired(loop.time() + 8)
    assert not transport.is_closed


@pytest.mark.parametrize(("n_bytes", "is_refused"), [(60_000, False), (70_000, True)])
def test_headers_above_64_kb_are_refused(loop: asyncio.AbstractEventLoop, n_bytes: int, is_refused: bool) -> None:
    connection, transport = connect(loop)
    connection.data_received(b"GET /a HTTP/1.1\r\nX-A: ")
    connection.data_received(b"a" * n_bytes)
    assert transport.written[:13] == (b"HTTP/1.1 431 " if is_refused else b"")


def test_bytes_that_are_not_http_get_a_problem(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = connect(loop)
    connection.data_received(b"\x16\x03\x01 TLS\r\n\r\n")
    assert (transport.written[:13], problem(transport), transport.is_closed) == (b"HTTP/1.1 400 ", "bad-request", True)


def test_a_complete_request_gets_its_response_without_a_task(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = connect(loop)
    connection.data_received(REQUEST)
    assert transport.written.endswith(b"content-type: text/plain\r\ncontent-length: 4\r\n\r\nbody")
    assert asyncio.all_tasks(loop) == set()


def test_a_request_that_waits_continues_as_a_task(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = connect(loop, respond_later)
    connection.data_received(REQUEST)
    assert (transport.written, len(connection.tasks)) == (b"", 1)
    loop.run_until_complete(asyncio.wait(connection.tasks))
    assert transport.written.startswith(b"HTTP/1.1 200 OK\r\n")


def test_pipelined_requests_get_their_responses_in_order(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = connect(loop)
    connection.data_received(REQUEST + REQUEST.replace(b"body", b"next"))
    loop.run_until_complete(asyncio.sleep(0.01))
    first, second = transport.written.index(b"body"), transport.written.index(b"next")
    assert first < second


@pytest.mark.parametrize(
    ("method", "version", "end"),
    [
        (b"HEAD", b"1.1", b"content-length: 4\r\n\r\n"),
        (b"POST", b"1.0", b"content-length: 4\r\nconnection: close\r\n\r\nbody"),
    ],
)
def test_a_response_follows_method_and_version(
    loop: asyncio.AbstractEventLoop, method: bytes, version: bytes, end: bytes
) -> None:
    connection, transport = connect(loop)
    connection.data_received(REQUEST.replace(b"POST", method).replace(b"1.1", version))
    assert transport.written.endswith(end)
    assert transport.is_closed is (version == b"1.0")


def test_shutdown_closes_after_the_response_in_progress(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = connect(loop, respond_later)
    connection.data_received(REQUEST)
    connection.shutdown()
    assert not transport.is_closed
    loop.run_until_complete(asyncio.wait(connection.tasks))
    assert b"connection: close\r\n" in transport.written
    assert transport.is_closed


def test_one_call_closes_every_expired_connection(loop: asyncio.AbstractEventLoop) -> None:
    transports = []
    connections = set()
    for _ in range(3):
        connection, transport = connect(loop)
        connections.add(connection)
        transports.append(transport)
    close_expired(connections, loop.time() + 6)
    assert [transport.is_closed for transport in transports] == [True] * 3


CHUNKED = b"POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
CLOSING = REQUEST.replace(b"Content-Length", b"Connection: close\r\nContent-Length")
UPGRADING = REQUEST.replace(b"Content-Length", b"Connection: Upgrade\r\nUpgrade: other\r\nContent-Length")
TRAILING_BYTES = {
    "nothing": b"",
    "rubbish": b"\x00\xff rubbish\r\n\r\n",
    "a body that is longer than declared": b" and more",
    "half of the headers": REQUEST[:20],
    "headers without their body": HEADERS,
    "a body that ends in the middle": HEADERS + b"bo",
    "a chunk that is none": CHUNKED[:-12] + b"zz\r\n",
    "headers that are too large": b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000,
    "an end of the connection": None,
}


class Handler:
    """Handles each complete request after a pause, as one that waits for the log, and counts them."""

    def __init__(self) -> None:
        self.n_handled = 0

    async def __call__(self, scope: Any, receive: Any, _send: Any) -> None:
        cycle = scope.pop(CYCLE_KEY)
        body = take_complete_body(cycle)
        if body is None:
            message = await receive()
            while message["type"] != "http.disconnect" and message["more_body"]:
                message = await receive()
            if message["type"] == "http.disconnect":
                return
        self.n_handled += 1
        await asyncio.sleep(0.01)
        write_response(cycle, 200, b"content-length: 4\r\n", b"body", closes_connection=False)


UPGRADES = {
    "http/2": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    "websocket": b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "several protocols": b"Upgrade: TLS/1.2, HTTP/3.0\r\nConnection: upgrade\r\n",
    "two headers each": b"UPGRADE: h2c\r\nConnection: foo\r\nupgrade: other\r\nconnection: UPGRADE\r\n",
    "a connection that ends": b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n",
}
WITH_BODY = {
    "length": REQUEST,
    "chunked": CHUNKED,
    "no body": b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "empty body": b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    "two requests": REQUEST + CHUNKED,
    "rubbish behind": REQUEST + b"\x00rubbish\r\n\r\n",
    "HTTP/1.0": REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"),
}


async def echo(scope: Any, receive: Any, _send: Any) -> None:
    """Write back the method and the whole body."""
    cycle, body, more = scope.pop(CYCLE_KEY), b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    body = scope["method"].encode() + b" " + body
    write_response(cycle, 200, b"content-length: %d\r\n" % len(body), body, closes_connection=False)


def answer(loop: asyncio.AbstractEventLoop, *segments: bytes) -> tuple[bytes, bool]:
    """Return what an echoing connection writes to these segments, and whether it closes."""
    protocol, transport = connect(loop, echo)

    async def exchange() -> None:
        for segment in segments:
            protocol.data_received(segment)
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)

    loop.run_until_complete(exchange())
    return transport.written, transport.is_closed


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("request_bytes", WITH_BODY.values(), ids=WITH_BODY)
def test_a_request_for_an_upgrade_gets_the_response_of_one_without(
    loop: asyncio.AbstractEventLoop, request_bytes: bytes, upgrade: bytes
) -> None:
    closes = b"Connection: close\r\n" if b"close" in upgrade else b""
    expected = answer(loop, request_bytes.replace(b"Host:", closes + b"Host:"))
    upgrading = request_bytes.replace(b"Host:", upgrade + b"Host:")
    cuts = range(1, len(upgrading), 7)
    answers = [answer(loop, upgrading), answer(loop, *(upgrading[at : at + 1] for at in range(len(upgrading))))]
    answers += [answer(loop, upgrading[:cut], upgrading[cut:]) for cut in cuts]
    assert expected[0].startswith(b"HTTP/1.1 200")
    assert set(answers) == {expected}


def test_a_tunnel_is_refused_whatever_it_upgrades_to(loop: asyncio.AbstractEventLoop) -> None:
    for headers in (b"", *UPGRADES.values()):
        written, is_closed = answer(loop, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\nbytes")
        assert (written[:13], is_closed) == (b"HTTP/1.1 400 ", True)


@pytest.mark.parametrize(
    "request_bytes", [REQUEST, CHUNKED, CLOSING, UPGRADING], ids=["length", "chunked", "close", "upgrade"]
)
@pytest.mark.parametrize("is_one_segment", [True, False], ids=["one segment", "two segments"])
@pytest.mark.parametrize("trailing", TRAILING_BYTES.values(), ids=TRAILING_BYTES)
def test_bytes_behind_a_request_never_change_its_response(
    loop: asyncio.AbstractEventLoop, request_bytes: bytes, trailing: bytes | None, is_one_segment: bool
) -> None:
    handler = Handler()
    protocol, transport = connect(loop, handler)

    async def exchange() -> None:
        if trailing is None:
            protocol.data_received(request_bytes)
            if not protocol.eof_received():
                transport.close()
        elif is_one_segment:
            protocol.data_received(request_bytes + trailing)
        else:
            protocol.data_received(request_bytes)
            protocol.data_received(trailing)
        await asyncio.sleep(0.03)
        protocol.close_expired(loop.time() + 60)

    loop.run_until_complete(exchange())
    assert (handler.n_handled, transport.written.count(b"HTTP/1.1 200")) == (1, 1)
    assert transport.written.startswith(b"HTTP/1.1 200")
    assert len(re.findall(rb"HTTP/1.1 [0-9]", transport.written)) <= 2


def test_each_of_two_pipelined_requests_gets_its_response_before_the_rubbish_behind_them(
    loop: asyncio.AbstractEventLoop,
) -> None:
    handler = Handler()
    protocol, transport = connect(loop, handler)

    async def exchange() -> None:
        protocol.data_received(REQUEST + CHUNKED + b"\x00rubbish\r\n\r\n")
        await asyncio.sleep(0.05)

    loop.run_until_complete(exchange())
    statuses = re.findall(rb"HTTP/1.1 ([0-9]+)", transport.written)
    assert (handler.n_handled, statuses, transport.is_closed) == (2, [b"200", b"200", b"400"], True)
