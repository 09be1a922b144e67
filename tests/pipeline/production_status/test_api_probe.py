"""The probe tells a ready API from one that is down, slow, foreign or not ready, within its timeout."""

from __future__ import annotations

import http.server
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.config_loader import build_config
from pipeline.errors import ConfigError
from pipeline.production_status import probe_api
from pipeline.production_status.api_probe import server_address
from tests.fixtures.composed_config import composed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _settings(host: str = "127.0.0.1") -> tuple[Any, Any]:
    config = build_config(composed().values, where="conf/")
    return config.alerts.server, config.serving.model_copy(update={"host": host})


@contextmanager
def _responding(status: int, body: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _raw(respond: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Serve one connection by a function, until the block ends."""
    listener, done = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            respond(connection, done)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        done.set()
        listener.close()
        thread.join(5)


def _probe(address: str, *, timeout_s: float = 5) -> Any:
    return probe_api(*_settings(), environment={"MLOPS_SERVER_URL": address}, timeout_s=timeout_s)


_IDENTITY = b'"model_name": "m", "model_version": 3, "served_by": "production"'


@pytest.mark.parametrize(
    ("status", "body", "outcome", "detail"),
    [
        (200, b'{"ready": true, ' + _IDENTITY + b"}", "ready", ""),
        (503, b'{"ready": false, "reason": "no model", ' + _IDENTITY + b"}", "not_ready", "no model"),
        (503, b'{"ready": true, ' + _IDENTITY + b"}", "not_ready", "status 503"),
        (200, b'{"ready": "yes"}', "foreign", "status 200, without the members of its health"),
        (200, b"<html>", "foreign", "status 200, without the members of its health"),
        (404, b"[1]", "foreign", "status 404, without the members of its health"),
        (200, b"[" * 60_000, "foreign", "status 200, without the members of its health"),
    ],
    ids=["ready", "not_ready", "ready_with_503", "other_type", "html", "list", "deep"],
)
def test_a_response_is_classified(status: int, body: bytes, outcome: str, detail: str) -> None:
    with _responding(status, body) as address:
        facts = _probe(address)
    assert (facts.outcome, facts.detail, facts.address) == (outcome, detail, address)
    if b"model_name" in body:
        assert (facts.model, facts.version, facts.served_by) == ("m", 3, "production")


def test_an_address_without_a_program_does_not_respond() -> None:
    facts = _probe("http://127.0.0.1:9")
    assert (facts.outcome, facts.detail, facts.is_declared) == ("no_response", "Connection refused", True)


def _say_nothing(_connection: socket.socket, done: threading.Event) -> None:
    done.wait(20)


def _drip(connection: socket.socket, done: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n")
    while not done.wait(0.02):
        try:
            connection.sendall(b" ")
        except OSError:
            return


def _hang_up(connection: socket.socket, _done: threading.Event) -> None:
    connection.recv(100)


@pytest.mark.parametrize("respond", [_say_nothing, _drip, _hang_up])
def test_a_server_that_never_responds_completely_does_not_respond(respond: Any) -> None:
    with _raw(respond) as address:
        assert _probe(address, timeout_s=0.3).outcome in ("no_response", "foreign")


@pytest.mark.parametrize("address", ["nonsense", "ftp://a", "http://", "http://a:port", "http://[x"])
def test_an_invalid_address_is_named_without_a_request(address: str) -> None:
    facts = _probe(address)
    assert (facts.outcome, facts.detail.partition(":")[0]) == ("invalid", "MLOPS_SERVER_URL")


def test_the_first_declared_address_counts_and_its_credentials_are_not_shown() -> None:
    server, serving = _settings()
    both = {"MLOPS_SERVER_URL": "https://ada:secret@a:1/x/", "MLOPS_API_URL": "http://b"}  # pragma: allowlist secret
    assert str(server_address(server, serving, both)) == "https://a:1/x"
    assert str(server_address(server, serving, {"MLOPS_API_URL": "http://b"})) == "http://b"
    with pytest.raises(ConfigError, match="MLOPS_API_URL: the address is not valid"):
        server_address(server, serving, {"MLOPS_API_URL": "b:1"})


@pytest.mark.parametrize(("host", "address"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.0.0.1", "10.0.0.1")])
def test_without_a_declared_address_that_of_the_settings_counts(host: str, address: str) -> None:
    found = server_address(*_settings(host), {})
    assert (str(found), found.is_declared) == (f"http://{address}:5000", False)
