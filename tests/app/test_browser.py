"""The app in a real browser: the form answers, charts are drawn, narrow and dark pages fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.app.browser import (
    CHROMIUM,
    EXCEPTION_SELECTOR,
    browser_page,
    free_port,
    horizontal_overflow,
    open_page,
    running_app,
    wait_until_drawn,
)
from tests.app.oidc_provider import OidcProvider, running_provider
from tests.fixtures.proof import is_long

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.workspace import Workspace

# The test of accessibility measures each page; here one is enough to show the login and the dark colors.
NARROW = ("overview", "predict", "monitoring", "models") if is_long() else ("predict",)
pytestmark = [
    pytest.mark.xdist_group("app"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt install chromium)"),
]


def log_in(page: Any, address: str, provider: OidcProvider, **person: Any) -> None:
    provider.next_claims = person
    open_page(page, address, "predict")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()
    open_page(page, address, "predict")


def test_pages_work_and_fit_in_a_real_browser_for_those_who_log_in(project: Workspace, tmp_path: Path) -> None:
    port = free_port()
    with (
        running_provider() as provider,
        running_app(
            project,
            "--secrets.files",
            str(provider.write_secrets(tmp_path / "secrets.toml", f"http://127.0.0.1:{port}")),
            port=port,
        ) as address,
        browser_page() as page,
    ):
        open_page(page, address, "predict")
        page.get_by_text("You are not logged in").wait_for()
        log_in(page, address, provider, sub="eve", name="Eve", roles=["viewer"])
        assert page.get_by_role("checkbox", name="Log this prediction").is_disabled()
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("button", name="Log in").wait_for()
        log_in(page, address, provider, sub="ada", name="Ada", roles=["admin"])
        page.get_by_role("button", name=re.compile("Predict$")).click()
        page.get_by_text("not logged").first.wait_for()
        wait_until_drawn(page)
        assert page.locator("[data-testid='stVegaLiteChart'] canvas, [data-testid='stVegaLiteChart'] svg").count() >= 2
        page.get_by_role("link", name="History").click()
        page.get_by_role("heading", name="History").wait_for()
        wait_until_drawn(page)
        assert page.locator(EXCEPTION_SELECTOR).count() == 0
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 390, "height": 844})
        wide = {}
        for name in NARROW:
            open_page(page, address, "" if name == "overview" else name)
            wide[name] = (horizontal_overflow(page), page.locator(EXCEPTION_SELECTOR).count())
    assert wide == dict.fromkeys(NARROW, (0, 0))
