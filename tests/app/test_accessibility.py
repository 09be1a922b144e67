"""Each page can be read and used by everyone: no serious finding of axe, a visible focus, no sideways scroll."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from app.navigation import PAGES
from tests.app.browser import CHROMIUM, EXCEPTION_SELECTOR, browser_page, horizontal_overflow, open_page
from tests.fixtures.proof import is_long

pytestmark = [
    pytest.mark.xdist_group("app"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt install chromium)"),
]
_FOCUS_WIDTH = "() => getComputedStyle(document.activeElement).outlineWidth"


def serious_findings(page: Any) -> list[str]:
    """Return the rule, the element and the reason of each finding of axe-core that hinders people."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]} {[check['message'] for check in node['any']][:1]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


# The dark colors have a test of their contrast; the long proof scans each page in them too.
THEMES = ("light", "dark") if is_long() else ("light",)


@pytest.mark.parametrize("theme", THEMES)
def test_no_page_hinders_people_scrolls_sideways_or_asks_a_foreign_host(theme: str, drifting_app: str) -> None:
    findings, overflow = {}, {}
    hosts: set[str] = set()
    violations: list[str] = []
    with browser_page(width=1440, dark=theme == "dark") as page:
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("websocket", lambda socket: hosts.add(urlsplit(socket.url).netloc))
        page.on("console", lambda line: violations.append(line.text) if "Security Policy" in line.text else None)
        for entry in PAGES:
            page.set_viewport_size({"width": 1440, "height": 900})
            open_page(page, drifting_app, entry.name)
            findings[entry.name] = serious_findings(page)
            assert page.locator(EXCEPTION_SELECTOR).count() == 0, entry.name
            page.set_viewport_size({"width": 390, "height": 844})
            page.wait_for_timeout(200)
            overflow[entry.name] = horizontal_overflow(page)
    assert findings == {entry.name: [] for entry in PAGES}
    assert overflow == {entry.name: 0 for entry in PAGES}
    assert (hosts - {""}, violations) == ({urlsplit(drifting_app).netloc}, [])


def test_the_focus_is_seen_and_the_scan_finds_a_text_of_low_contrast(drifting_app: str) -> None:
    with browser_page() as page:
        open_page(page, drifting_app, "models")
        widths = []
        for _ in range(12):
            page.keyboard.press("Tab")
            widths.append(page.evaluate(_FOCUS_WIDTH))
        page.add_style_tag(content="[data-testid='stCaptionContainer'] p { color: #BBBBBB !important; }")
        findings = serious_findings(page)
    assert widths.count("3px") >= 10, widths
    assert {finding.partition(":")[0] for finding in findings} == {"color-contrast"}
