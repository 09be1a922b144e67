"""The app as a process, and a chromium browser that opens its pages."""

from __future__ import annotations

import re
import shutil
import socket
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.fixtures.workspace import Workspace

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Streamlit shows these elements while it works.
_BUSY_SELECTORS = (
    "[data-testid='stStatusWidget'], [data-testid='stSkeleton'], [data-testid='stSpinner'], [data-stale='true'],"
    " [data-testid='stApp']:not([data-test-script-state='notRunning'])"
)
EXCEPTION_SELECTOR = "[data-testid='stException']"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_app(workspace: Workspace, *words: str, port: int | None = None, **env: str) -> Iterator[str]:
    """Serve the app on the results of a workspace; yield its address."""
    with running_app_process(workspace, *words, port=port, **env) as (address, _):
        yield address


@contextmanager
def running_app_process(
    workspace: Workspace, *words: str, port: int | None = None, **env: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve the app on the results of a workspace; yield its address and its process."""
    port = port if port is not None else free_port()
    command = (sys.executable, "-m", "streamlit", "run", "app/serve.py", "--server.port", str(port), *words)
    process = workspace.start(*command, MLOPS_ACTOR="ada", **env)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(f"{address}/_stcore/health", process)
        yield address, process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def wait_until_ready(address: str, process: Any) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, process.communicate()[0]
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            assert time.monotonic() < deadline, "the app did not start within 60 s"
            time.sleep(0.1)


@contextmanager
def browser_page(
    *, width: int = 1280, height: int = 900, dark: bool = False, zone: str = "Europe/Vienna"
) -> Iterator[Any]:
    """Yield a page of a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            timezone_id=zone,
            locale="en-GB",
        )
        page.set_default_timeout(30_000)
        try:
            yield page
        finally:
            browser.close()


def wait_until_drawn(page: Any) -> None:
    """Wait until the page has drawn everything."""
    page.wait_for_selector("h1")
    quiet_since = time.monotonic()
    deadline = quiet_since + 30
    while time.monotonic() - quiet_since < 0.5:
        if page.locator(_BUSY_SELECTORS).count():
            quiet_since = time.monotonic()
        assert time.monotonic() < deadline, "the page was still loading after 30 s"
        page.wait_for_timeout(50)


def open_page(page: Any, address: str, name: str) -> None:
    page.goto(f"{address}/{name}")
    wait_until_drawn(page)


def content_height(page: Any) -> int:
    """Return the height of the page's content in pixels."""
    return int(page.evaluate("document.querySelector('[data-testid=\"stMainBlockContainer\"]').scrollHeight"))


def horizontal_overflow(page: Any) -> int:
    """Return the pixels by which the page is wider than its window."""
    return int(
        page.evaluate(
            "Math.max(document.documentElement.scrollWidth - window.innerWidth,"
            " ...[...document.querySelectorAll('[data-testid=\"stMain\"]')].map(e => e.scrollWidth - e.clientWidth))"
        )
    )


def shown_prediction_id(page: Any) -> str:
    """Return the ID of the prediction that a page shows."""
    page.get_by_text("logged as").first.wait_for()
    return str(page.locator("code").filter(has_text=re.compile(r"^[0-9a-f-]{36}$")).first.inner_text())
