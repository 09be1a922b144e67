"""The server starts even if the API that the pages query hangs."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from altair.utils import schemapi

from app import preload
from pipeline.config.composition import compose
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("app")


def test_an_api_that_never_responds_does_not_delay_the_server(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty / "params.yaml").write_text(compose([], conf=ROOT / "conf").text, encoding="utf-8")
    monkeypatch.setattr(preload, "_PRERENDER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(schemapi, "DEBUG_MODE", True)  # the server switches it off, other tests need it
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("MLOPS_API_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        preload._preload()
        threads = threading.enumerate()
        prerender = next((thread for thread in threads if thread.name == preload._PRERENDER_THREAD), None)
        assert prerender is not None
    prerender.join()


def test_work_is_awaited_for_its_time_and_goes_on_after_it() -> None:
    is_released, is_done = threading.Event(), threading.Event()

    def wait() -> None:
        is_released.wait()
        is_done.set()

    preload._run_for(wait, name="slow", timeout_s=0.01)
    assert not is_done.is_set()
    is_released.set()
    preload._run_for(is_done.wait, name="end", timeout_s=60)
    assert is_done.is_set()
