"""The app in a real browser: the form answers, charts are drawn, narrow and dark pages fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.browser import CHROMIUM, PROBLEMS, chromium, open_page, overflow, serving, settle

if TYPE_CHECKING:
    from tests.end_to_end.workspace import Workspace

NARROW = ("overview", "predict", "monitoring", "models")
pytestmark = [
    pytest.mark.xdist_group("app"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt install chromium)"),
]


def test_pages_work_and_fit_in_a_real_browser(project: Workspace) -> None:
    with serving(project) as address:
        with chromium() as page:
            open_page(page, address, "predict")
            page.get_by_role("button", name="Predict").first.click()
            page.get_by_text("logged as").first.wait_for()
            settle(page)
            assert (
                page.locator("[data-testid='stVegaLiteChart'] canvas, [data-testid='stVegaLiteChart'] svg").count() >= 2
            )
            page.get_by_role("link", name="History").click()
            page.get_by_role("heading", name="History").wait_for()
            settle(page)
            assert page.locator(PROBLEMS).count() == 0
        with chromium(width=390, height=844, dark=True) as page:
            wide = {}
            for name in NARROW:
                open_page(page, address, "" if name == "overview" else name)
                wide[name] = (overflow(page), page.locator(PROBLEMS).count())
    assert wide == dict.fromkeys(NARROW, (0, 0))
