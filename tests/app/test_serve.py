"""The server starts even if the API that the pages query hangs."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from app import serve
from pipeline.config.composition import compose
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("app")


def test_an_api_that_never_responds_does_not_delay_the_server(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty / "params.yaml").write_text(compose([], conf=ROOT / "conf").text, encoding="utf-8")
    monkeypatch.setattr(serve, "_PRERENDER_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("MLOPS_API_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        serve._preload()
        threads = threading.enumerate()
        prerender = next((thread for thread in threads if thread.name == serve._PRERENDER_THREAD), None)
        assert prerender is not None
    prerender.join()
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
