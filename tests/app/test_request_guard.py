"""The app serves its own hosts to its own pages: foreign names and foreign pages get nothing, and nothing frames it."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st

from app.request_guard import own_hosts, refusal
from pipeline.config.composition import compose
from tests.app.browser import running_app
from tests.fixtures.workspace import ROOT, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("app")
HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "shop.example"})
PATHS = (
    "/",
    "/history",
    "/favicon.png",
    "/_stcore/host-config",
    "/_stcore/stream",
    "/_stcore/upload_file/a/b",
    "/media/x",
)


def reason(host: str | None, origin: str | None = None, *, kind: str = "http", path: str = "/") -> str:
    headers = [(b"Host", host.encode())] if host is not None else []
    headers += [(b"Origin", origin.encode())] if origin is not None else []
    return refusal({"type": kind, "path": path, "headers": headers}, HOSTS)


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1", "[::1]:8501", "LOCALHOST:1", "shop.example"])
def test_a_page_of_the_app_itself_is_served(host: str, kind: str) -> None:
    assert reason(host, f"http://{host}", kind=kind) == ""


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "host",
    [
        None, "", "evil.example", "evil.example:8501", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2",
        "localhost@evil.example", "127.0.0.1:8501@evil.example", "[::1",
        "localhost:8501, evil.example", "shop.example.",
    ],
    ids=repr,
)  # fmt: skip
def test_a_foreign_host_is_refused(host: str | None, kind: str) -> None:
    assert "serving.allowed_hosts" in reason(host, f"http://{host}", kind=kind)


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "http://127.0.0.1:9000", "http://localhost:8501", "http://localhost", "https://[::1]:8501",
        "null", "", "file://", "127.0.0.1:8501", "chrome-extension://127.0.0.1:8501", "http://shop.example:81",
    ],
    ids=repr,
)  # fmt: skip
def test_a_foreign_origin_is_refused(origin: str, kind: str) -> None:
    assert "is not this app" in reason("127.0.0.1:8501", origin, kind=kind)


def test_a_websocket_needs_an_origin_and_a_probe_needs_no_name() -> None:
    assert "no Origin" in reason("127.0.0.1:8501", kind="websocket")
    assert reason("10.1.2.3:8501", path="/_stcore/health") == ""
    assert reason("10.1.2.3:8501", path="/_stcore/health/x") != ""
    assert "Host" in refusal({"type": "http", "path": "/", "headers": [(b"host", b"localhost")] * 2}, HOSTS)


def test_declared_names_and_the_address_are_own(empty: Path) -> None:
    text = compose(["serving.allowed_hosts=[Shop.Example]"], conf=ROOT / "conf").text
    (empty / "params.yaml").write_text(text, encoding="utf-8")
    st.config.set_option("server.address", "10.0.0.5")
    assert own_hosts() == {"localhost", "127.0.0.1", "[::1]", "shop.example", "10.0.0.5"}
    st.config.set_option("server.address", "0.0.0.0")
    assert own_hosts() == {"localhost", "127.0.0.1", "[::1]", "shop.example"}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of an app before its first run, with the settings of the project."""
    with running_app(Workspace(ROOT)) as address:
        yield int(address.rpartition(":")[2])


def response(port: int, path: str, *headers: str) -> tuple[int, str]:
    """Return status and headers of a raw request; the path of the websocket asks for an upgrade."""
    upgrade = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {'A' * 22}==",
    )
    sent = [f"GET {path} HTTP/1.1", *headers, *(upgrade if path.endswith("/stream") else ("Connection: close",))]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*sent, "", ""]).encode())
        received = b""
        while b"\r\n\r\n" not in received and (chunk := connection.recv(65_536)):
            received += chunk
    head = received.partition(b"\r\n\r\n")[0].decode()
    return int(head.split(" ", 2)[1]), head.lower()


@pytest.mark.parametrize("path", PATHS)
def test_the_server_refuses_foreign_hosts_and_origins_on_every_path(path: str, port: int) -> None:
    own = f"127.0.0.1:{port}"
    statuses = [
        response(port, path, f"Host: evil.example:{port}", f"Origin: http://evil.example:{port}")[0],
        response(port, path, f"Host: {own}", "Origin: http://127.0.0.1:9000")[0],
        response(port, path, f"Host: {own}", f"Origin: http://localhost:{port}")[0],
    ]
    assert statuses == [403, 403, 403]
    assert response(port, path, f"Host: {own}", f"Origin: http://{own}")[0] != 403


def test_the_server_responds_to_probes_and_forbids_frames_and_foreign_files(port: int) -> None:
    assert response(port, "/_stcore/health", "Host: 10.1.2.3:8501")[0] == 200
    status, head = response(port, "/", f"Host: 127.0.0.1:{port}")
    policy: Any = re.search(r"content-security-policy: (.*)", head)
    assert (status, head.count("x-frame-options: deny")) == (200, 1)
    assert {"frame-ancestors 'none'", "connect-src 'self'", "img-src 'self' data: blob:"} <= {
        rule.strip() for rule in policy[1].split(";")
    }
    assert "http" not in policy[1]
