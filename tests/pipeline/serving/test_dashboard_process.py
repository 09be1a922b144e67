"""The dashboard beside the API: linked while it runs, gone with the API, and no reason for the API to end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.serving.dashboard_process import DashboardProcess, run_dashboard
from tests.fixtures.server_process import MODEL_NAME, make_project, run_server
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("serving"), pytest.mark.usefixtures("starts_processes")]

EXAMPLE = f"from pipeline import ModelServer; ModelServer({MODEL_NAME!r}, 'Production', port=0).run()"
TIMEOUT_S = 60


class RecordedLog:
    """Keeps the events that are logged."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def warning(self, event: str, **values: Any) -> None:
        self.events.append((event, values))

    info = warning


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dashboard") / "project"
    write_small_package(root.parent / "first", "personality", "model=logistic_regression", n_rows=400)
    make_project(root, [root.parent / "first"])
    return root


def wait_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def responds(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{address}/_stcore/health", timeout=5).status_code == 200
    return False


def test_the_example_of_a_server_links_its_dashboard_which_ends_when_the_server_is_killed(project: Path) -> None:
    with run_server(project, program=("-c", EXAMPLE)) as server:
        with server.client() as client:
            dashboard = client.get("/").json()["links"]["dashboard"]
            assert f'href="{dashboard}"' in client.get("/", headers={"Accept": "text/html"}).text
        wait_until(lambda: responds(dashboard))
        os.kill(server.process.pid, signal.SIGKILL)
        wait_until(lambda: not responds(dashboard))


def test_a_dashboard_that_fails_is_logged_once_and_the_api_goes_on(project: Path) -> None:
    with run_server(project, "--dashboard") as server, server.client() as client:
        wait_until(lambda: '"dashboard"' in (project / "server.log").read_text(encoding="utf-8"))
        (line,) = server_events(project, "dashboard")
        os.kill(line["pid"], signal.SIGKILL)
        wait_until(lambda: server_events(project, "dashboard ended") != [])
        assert "dashboard" not in client.get("/").json()["links"]
        assert client.get("/readyz").status_code == 200
        assert server.stop() == 0
    assert [line["exit_code"] for line in server_events(project, "dashboard ended")] == [-signal.SIGKILL]


def server_events(project: Path, event: str) -> list[dict[str, Any]]:
    lines = (project / "server.log").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in events if line["event"] == event]


def test_a_stopped_server_ends_its_dashboard(tmp_path: Path) -> None:
    log = RecordedLog()
    dashboard = DashboardProcess(tmp_path, "127.0.0.1", log)
    assert dashboard.address("localhost") is None
    dashboard.start("http://127.0.0.1:1")
    assert str(dashboard.address("localhost")).startswith("http://127.0.0.1:")
    dashboard.stop()
    assert dashboard.address("localhost") is None
    assert [event for event, _ in log.events] == ["dashboard"]


@pytest.mark.parametrize(("requested", "host"), [("ml.example", "ml.example"), ("", "127.0.0.1"), ("[::1]", "[::1]")])
def test_a_dashboard_on_all_addresses_has_the_name_of_the_server(tmp_path: Path, requested: str, host: str) -> None:
    dashboard = DashboardProcess(tmp_path, "0.0.0.0", RecordedLog())
    dashboard.start("http://127.0.0.1:1")
    try:
        assert str(dashboard.address(requested)).rpartition(":")[0] == f"http://{host}"
    finally:
        dashboard.stop()


def test_a_server_without_the_extra_names_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "streamlit", None)
    log = RecordedLog()
    dashboard = DashboardProcess(tmp_path, "127.0.0.1", log)
    dashboard.start("http://127.0.0.1:1")
    dashboard.stop()
    ((event, values),) = log.events
    assert event == "dashboard unavailable"
    assert "pip install 'declarative-mlops[app]'" in values["reason"]


def test_the_command_without_the_extra_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "streamlit", None)
    with pytest.raises(DependencyUnavailable, match=r"pip install 'declarative-mlops\[app\]'"):
        run_dashboard()
