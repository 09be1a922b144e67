"""A store that breaks, refuses or is gone: nothing is half there, and the message says what to do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from pipeline.errors import DependencyUnavailable
from pipeline.storage import StoragePath, object_stores
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.storage.store_relay import StoreRelay, relay_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = os.urandom(1 << 20) * 24
HALF = 9 << 20
FOREVER = 10**9
SECRET = "never-shown-4711"  # pragma: allowlist secret


def forget_connections() -> None:
    object_stores.file_system.cache_clear()
    object_stores.object_store.cache_clear()


def copied(path: StoragePath) -> bytes:
    with path.local_copy() as copy:
        return copy.read_bytes()


READERS: dict[str, Callable[[StoragePath], bytes]] = {"read_bytes": StoragePath.read_bytes, "local_copy": copied}


@pytest.fixture
def relay(s3_bucket: str, s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreRelay]:
    with relay_to(s3_address) as relay:
        monkeypatch.setenv("AWS_ENDPOINT_URL", relay.address)
        forget_connections()
        yield relay
    forget_connections()


@pytest.fixture
def path(s3_bucket: str) -> StoragePath:
    return StoragePath.parse(s3_bucket) / "rows.bin"


@pytest.mark.parametrize("reader", READERS)
def test_a_read_that_breaks_once_is_whole(relay: StoreRelay, path: StoragePath, reader: str) -> None:
    path.write_bytes(CONTENT)
    forget_connections()
    relay.response_limit, relay.n_faulty = HALF, 1
    assert READERS[reader](path) == CONTENT
    assert relay.limit_reached.is_set()


@pytest.mark.parametrize("reader", READERS)
def test_a_read_that_always_breaks_is_an_error(relay: StoreRelay, path: StoragePath, reader: str) -> None:
    path.write_bytes(CONTENT)
    forget_connections()
    relay.response_limit, relay.n_faulty = 2000, FOREVER
    with pytest.raises(DependencyUnavailable, match=rf"^{path}: the store is unavailable"):
        READERS[reader](path)


def test_an_upload_that_breaks_leaves_no_object(relay: StoreRelay, path: StoragePath) -> None:
    relay.request_limit, relay.n_faulty = 2000, FOREVER
    with pytest.raises(DependencyUnavailable, match=rf"^{path}: the store is unavailable"):
        path.write_bytes(CONTENT)
    relay.n_faulty = 0
    forget_connections()
    assert path.parent.list_files() == []


@pytest.mark.usefixtures("starts_processes")
def test_a_process_killed_during_an_upload_leaves_no_object(
    relay: StoreRelay, path: StoragePath, tmp_path: Path
) -> None:
    relay.request_limit, relay.n_faulty, relay.is_holding = 2 << 20, FOREVER, True
    source = tmp_path / "rows.bin"
    source.write_bytes(CONTENT)
    code = "import pathlib, sys; from pipeline.storage import StoragePath as Path; Path.parse(sys.argv[1]).write_bytes("
    code += "pathlib.Path(sys.argv[2]).read_bytes())"
    process = subprocess.Popen([sys.executable, "-c", code, str(path), str(source)], cwd=ROOT)
    assert relay.limit_reached.wait(60)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    relay.n_faulty = 0
    forget_connections()
    assert path.parent.list_files() == []


def test_a_store_out_of_reach_is_named(path: StoragePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    forget_connections()
    for use in (path.exists, lambda: path.write_bytes(b"rows")):
        with pytest.raises(DependencyUnavailable, match=rf"^{path}: the store is unavailable .*check its address"):
            use()


@pytest.fixture
def guarded(s3_address: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server accepts only keys that it knows, and there are none."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{SECRET}-token")
    forget_connections()

    def ask(count: bytes) -> None:
        address, headers = f"{s3_address}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        request = urllib.request.Request(address, data=count, headers=headers, method="POST")
        urllib.request.urlopen(request).close()

    ask(b"0")
    yield
    ask(b"inf")
    forget_connections()


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
    "use", ["exists", "read_bytes", "version", "list_files", "local_copy", "write_bytes", "create"]
)
def test_wrong_credentials_are_refused_and_not_shown(path: StoragePath, use: str) -> None:
    calls = {"write_bytes": lambda: path.write_bytes(b"rows"), "create": lambda: path.create(b"rows")}
    calls["local_copy"] = lambda: copied(path)
    with pytest.raises(DependencyUnavailable, match=rf"^{path}: .*credentials in the environment") as caught:
        calls.get(use, getattr(path, use))()
    assert SECRET not in str(caught.value)
    assert re.search(r"403|access.?denied|invalid.?access.?key", str(caught.value), re.IGNORECASE)


class SkewedClock(BaseHTTPRequestHandler):
    """Refuses every request as S3 does when the clocks differ."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_wrong_clock_is_named(path: StoragePath, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SkewedClock)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
    forget_connections()
    with pytest.raises(DependencyUnavailable, match="RequestTimeTooSkewed"):
        path.write_bytes(b"rows")
    server.shutdown()
    server.server_close()
    forget_connections()


def test_more_than_a_page_of_objects_is_listed(s3_bucket: str) -> None:
    backend = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
    for number in range(1100):
        backend.put_object(s3_bucket.removeprefix("s3://"), f"many/{number:04d}.csv", b"1")
    root = StoragePath.parse(s3_bucket)
    assert len((root / "many").list_files()) == len(root.list_files(recursive=True)) == 1100
    assert root.list_files() == []


@pytest.mark.parametrize("name", ["a b.csv", "a+b.csv", "a%20b.csv", "ü€.csv", "a=1/b&c?.csv", "#x.csv", "'\".csv"])
def test_a_key_with_odd_characters_is_one_object(s3_bucket: str, name: str) -> None:
    path = StoragePath.parse(f"{s3_bucket}/in/{name}")
    assert path.create(b"rows")
    assert copied(path) == path.read_bytes() == b"rows"
    assert [entry.path for entry in StoragePath.parse(s3_bucket).list_files(recursive=True)] == [path]
