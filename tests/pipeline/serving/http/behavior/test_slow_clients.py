"""Slow senders and readers are disconnected in time, and do not affect other clients."""

from __future__ import annotations

import contextlib
import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.proof import proof_rounds
from tests.fixtures.server_process import ROW, RunningServer, make_project, run_server
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.xdist_group("serving"), pytest.mark.usefixtures("starts_processes")]

N_SLOW_CLIENTS = proof_rounds(60, long=400)
# `--proof=long` offers 780 MB at once.
N_LARGE_BODIES = proof_rounds(48, long=200)
DEADLINE_S = proof_rounds(2, long=9)
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    root = tmp_path_factory.mktemp("slow")
    make_project(
        root,
        [package],
        f"serving.limits.header_timeout_s={min(5, DEADLINE_S)}",
        f"serving.limits.body_timeout_s={DEADLINE_S}",
        f"serving.limits.response_timeout_s={DEADLINE_S}",
        f"serving.limits.keep_alive_timeout_s={DEADLINE_S + 2}",
        "serving.limits.max_concurrent_requests=8",
    )
    with run_server(root) as running_server:
        yield running_server


def open_connection(server: RunningServer, first: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(first)
    connection.setblocking(False)
    return connection


SLOW_SENDERS = {
    "says nothing": (b"", b""),
    "head byte by byte": (b"POST /predict HTT", b"P"),
    "headers without end": (HEAD, b"X-A: b\r\n"),
    "body byte by byte": (HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
    "chunks without end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


def test_slow_senders_are_disconnected_in_time_and_a_normal_client_is_unaffected(server: RunningServer) -> None:
    began = time.monotonic()
    slow = {
        open_connection(server, first): drip
        for _ in range(N_SLOW_CLIENTS // len(SLOW_SENDERS))
        for first, drip in SLOW_SENDERS.values()
    }
    worst, n_good = 0.0, 0
    selector = selectors.DefaultSelector()
    for connection in slow:
        selector.register(connection, selectors.EVENT_READ)
    with server.client() as client:
        while slow and time.monotonic() - began < 12:
            for connection, drip in slow.items():
                with contextlib.suppress(OSError):
                    connection.send(drip)
            for key, _ in selector.select(timeout=0):
                connection = key.fileobj  # type: ignore[assignment]
                if _is_closed(connection):
                    selector.unregister(connection)
                    slow.pop(connection)
                    connection.close()
            sent = time.monotonic()
            assert client.post("/predict", json={"features": ROW}).status_code == 200
            worst, n_good = max(worst, time.monotonic() - sent), n_good + 1
            time.sleep(0.05)
    selector.close()
    assert len(slow) == 0
    assert time.monotonic() - began < DEADLINE_S + 1.5
    assert worst < 1
    assert n_good > 10


def _is_closed(connection: socket.socket) -> bool:
    try:
        while True:
            if not connection.recv(65536):
                return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_a_slow_sender_gets_the_reason(server: RunningServer) -> None:
    connection = open_connection(server, HEAD + b"Content-Length: 1000\r\n\r\n{")
    connection.settimeout(DEADLINE_S + 3)
    response = b"".join(iter(lambda: connection.recv(65536), b""))
    connection.close()
    assert response.startswith(b"HTTP/1.1 408 ")
    assert json.loads(response.partition(b"\r\n\r\n")[2])["type"] == "urn:mlops:problem:too-slow"


def test_a_refused_body_is_drained_within_bounds_and_gets_a_single_response(server: RunningServer) -> None:
    connection = open_connection(server, HEAD + b"Content-Length: 40000000\r\n\r\n{")
    connection.settimeout(DEADLINE_S + 3)
    response = b"".join(iter(lambda: connection.recv(65536), b""))
    connection.close()
    assert response.startswith(b"HTTP/1.1 413 ")
    assert response.count(b"HTTP/1.1 ") == 1


def test_a_client_that_does_not_read_responses_is_disconnected(server: RunningServer) -> None:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    connection.setblocking(False)
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    began = time.monotonic()
    cut = False
    while not cut and time.monotonic() - began < DEADLINE_S + 8:
        try:
            connection.send(request * 20)
        except BlockingIOError:
            pass
        except OSError:
            cut = True
        time.sleep(0.05)
    connection.close()
    assert cut


def test_an_idle_connection_between_two_requests_is_left_alone(server: RunningServer) -> None:
    with server.client() as client:
        client.get("/livez")
        time.sleep(DEADLINE_S + 0.7)
        assert client.get("/livez").status_code == 200


def test_a_connection_that_stays_idle_is_closed(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S + 6) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        began, first = time.monotonic(), connection.recv(65_536)
        assert (first[:15], connection.recv(1)) == (b"HTTP/1.1 200 OK", b"")
    assert time.monotonic() - began > DEADLINE_S + 1


def test_pipelined_requests_get_responses_in_order(server: RunningServer) -> None:
    body = json.dumps({"features": ROW}).encode()
    predict = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    probe = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall((predict + probe) * 20 + last)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    kinds = re.findall(rb'"prediction_id"|"live"|not-found', received)
    assert kinds[:41] == [b'"prediction_id"', b'"live"'] * 20 + [b"not-found"]


def test_unfinished_bodies_do_not_count_as_concurrent_requests(server: RunningServer) -> None:
    waiting = [open_connection(server, HEAD + b"Content-Length: 1000\r\n\r\n{") for _ in range(40)]
    with server.client() as client:
        statuses = {client.post("/predict", json={"features": ROW}).status_code for _ in range(50)}
    for connection in waiting:
        connection.close()
    assert statuses == {200}


def test_overload_is_shed_with_retry_after_while_probes_succeed(server: RunningServer) -> None:
    command = [sys.executable, str(ROOT / "examples/load_generator.py"), "--url", server.address]
    load = subprocess.Popen([*command, "--connections", "300", "--seconds", "4"], stdout=subprocess.PIPE, text=True)
    times: list[float] = []
    shed: set[str] = set()
    with server.client() as client:
        while load.poll() is None:
            began = time.monotonic()
            with server.client() as other:  # a probe comes on a connection of its own
                assert other.get("/livez").status_code == 200
            times.append(time.monotonic() - began)
            response = client.post("/predict", json={"features": ROW})
            if response.status_code != 200:
                shed.add(f"{response.status_code} {response.headers['retry-after']}")
            time.sleep(0.05)
        assert client.post("/predict", json={"features": ROW}).status_code == 200
    output = load.communicate()[0]
    statuses = dict(re.findall(r"(\d{3}): (\d+)", output))
    assert set(statuses) == {"200", "503"}, output
    assert shed <= {"503 1"}
    assert max(times) < 2


def test_memory_is_bounded_however_many_large_bodies_come_at_once(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package], "serving.limits.max_body_mb=4", "serving.limits.max_inflight_mb=4")
    body = json.dumps({"instances": [ROW] * 10_000}).encode().ljust(3_900_000)
    head = HEAD.replace(b"/predict", b"/predict/batch") + f"Content-Length: {len(body)}\r\n\r\n".encode()
    with run_server(tmp_path) as server:
        usual = _status(server, head + body)
        before_mb = _peak_memory_mb(server)
        with ThreadPoolExecutor(N_LARGE_BODIES) as pool:
            statuses = Counter(pool.map(lambda _: _status(server, head + body), range(N_LARGE_BODIES)))
        grown_mb = _peak_memory_mb(server) - before_mb
    print(f"{N_LARGE_BODIES} bodies of 3.9 MB at once: {grown_mb:.0f} MB more; {dict(statuses)}")
    assert (usual, set(statuses) - {200, 503}, statuses[503] > 0) == (200, set(), True)
    # Bodies that have arrived count together; of each other connection at most what was read at once is held.
    assert grown_mb < 90 + 0.25 * N_LARGE_BODIES


def _status(server: RunningServer, request: bytes) -> int:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(request)
        return int(connection.recv(65536).split(b" ", 2)[1])


def _peak_memory_mb(server: RunningServer) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
