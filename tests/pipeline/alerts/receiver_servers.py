"""Real receivers on loopback: HTTP that answers as it is receiver, and SMTP."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ReceiverServer", "free_port", "http_receiver", "smtp_receiver"]


@dataclass
class ReceiverServer:
    """The requests that arrived, and the next response: its status, and the seconds to wait before and within it."""

    port: int
    status: int = 200
    response_headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    byte_interval_s: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    request_headers: list[dict[str, str]] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/hook"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def http_receiver(port: int | None = None) -> Iterator[ReceiverServer]:
    receiver = ReceiverServer(port if port is not None else free_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(receiver.delay_s)
            if receiver.byte_interval_s:
                for sign in b"HTTP/1.1 200 OK and on and on and on":
                    try:
                        self.wfile.write(bytes([sign]))
                    except OSError:
                        return
                    time.sleep(receiver.byte_interval_s)
                return
            receiver.bodies.append(json.loads(body))
            receiver.request_headers.append(dict(self.headers))
            self.send_response(receiver.status)
            for name, value in receiver.response_headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", receiver.port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def smtp_receiver() -> Iterator[ReceiverServer]:
    """A mail server that takes every letter, by the plain dialogue of RFC 5321."""
    receiver = ReceiverServer(0)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._reply("220 localhost")
            while line := self.rfile.readline():
                word = line.split()[0].upper() if line.split() else b""
                if word == b"DATA":
                    self._reply("354 go on")
                    receiver.emails.append(self._read_email())
                if word == b"QUIT":
                    self._reply("221 bye")
                    return
                self._reply("250 ok")

        def _read_email(self) -> str:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.decode())
            return "".join(lines)

        def _reply(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
