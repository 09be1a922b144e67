"""Daily workflows in a real browser: JSON and file predictions, search, drift, promotion, an unreachable API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from pipeline.registry import ModelRegistry
from tests.app.browser import (
    CHROMIUM,
    EXCEPTION_SELECTOR,
    browser_page,
    open_page,
    running_app,
    shown_prediction_id,
    wait_until_drawn,
)
from tests.app.conftest import PAGES
from tests.app.views.test_incident_buttons import open_incident
from tests.app.views.test_predict_page import unlabeled_csv
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.workspace import Workspace

pytestmark = [
    pytest.mark.xdist_group("app"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt install chromium)"),
]
_UNREACHABLE_URL = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def own(drifting_project: Workspace) -> Workspace:
    return drifting_project


@pytest.fixture(scope="module")
def address(drifting_app: str) -> str:
    return drifting_app


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    with browser_page() as opened:
        yield opened


def test_no_page_asks_a_foreign_host_or_violates_its_policy(page: Any, address: str) -> None:
    requested: set[str] = set()
    violations: list[str] = []
    page.on("request", lambda request: requested.add(urlsplit(request.url).netloc))
    page.on("websocket", lambda socket: requested.add(urlsplit(socket.url).netloc))
    page.on("console", lambda line: violations.append(line.text) if "Security Policy" in line.text else None)
    for name in PAGES:
        open_page(page, address, "" if name == "overview" else name)
        assert page.locator(EXCEPTION_SELECTOR).count() == 0
    open_page(page, address, "models")
    page.get_by_role("tab", name="Model card").click()
    page.get_by_text("Download model card").wait_for()
    assert (requested - {""}, violations) == ({urlsplit(address).netloc}, [])


def upload(page: Any, content: str, name: str) -> None:
    page.get_by_role("tab", name="File").click()
    file = {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    page.locator("input[type=file]").set_input_files(file)


def test_a_json_prediction_is_found_by_its_id(page: Any, address: str) -> None:
    open_page(page, address, "predict")
    page.get_by_text("Log this prediction").click()
    page.get_by_role("tab", name="JSON").click()
    page.get_by_role("tabpanel").get_by_role("button", name="Predict").click()
    prediction_id = shown_prediction_id(page)
    open_page(page, address, f"history?text={prediction_id}")
    page.get_by_text("1 prediction. Select a row to open it.", exact=True).wait_for()
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def test_a_valid_file_is_predicted_and_an_invalid_one_refused(page: Any, address: str, own: Workspace) -> None:
    open_page(page, address, "predict")
    good = unlabeled_csv(own)
    upload(page, good, "good.csv")
    page.get_by_role("button", name="Predict 3 rows").click()
    page.get_by_text("Download all predictions").wait_for()
    header, first, *_ = good.splitlines()
    open_page(page, address, "predict")
    upload(page, f"{header}\n{first}\n{'many,' * first.count(',')}many\n", "bad.csv")
    page.get_by_text(re.compile(r"bad\.csv: \d+ error")).wait_for()
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def test_a_drifting_day_shows_the_number_of_drifting_features(page: Any, address: str) -> None:
    open_page(page, address, "monitoring")
    card = page.locator("[data-testid='stMetric']").filter(has_text="Drift")
    assert re.search(r"^\d+ of \d+$", card.inner_text(), re.MULTILINE)
    page.locator("[data-testid='stVegaLiteChart']").nth(4).wait_for()
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def popovers(page: Any) -> Any:
    return page.locator("[data-testid='stPopoverBody']")


def test_an_action_on_an_incident_closes_its_dialog_and_opens_no_other(page: Any, address: str, own: Workspace) -> None:
    open_incident(own, title="first drifted")
    number = open_incident(own, title="second drifted", group_name="drift:other")
    open_page(page, address, f"incidents?incident={number}")
    for action, result in (("Acknowledge", "Acknowledged"), ("Silence", "Silenced until"), ("Resolve", "Resolved")):
        # The buttons after an action stand where others stood.
        page.get_by_role("button", name=action).first.click()
        dialog = popovers(page)
        dialog.get_by_label("Reason").fill("looked at it")
        dialog.get_by_role("button", name="Confirm").click()
        page.get_by_test_id("stToast").filter(has_text=result).wait_for()
        wait_until_drawn(page)
        assert popovers(page).count() == 0, action
    assert page.get_by_text("looked at it").count() == 3
    page.get_by_role("link", name="All incidents").click()
    page.get_by_role("link", name="first drifted").wait_for()
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def test_live_span_confidence_and_tab_are_in_the_address(page: Any, address: str) -> None:
    open_page(page, address, "?span=7d")
    assert page.get_by_role("radio", name="7 days").is_checked()
    page.get_by_text("3 days", exact=True).click()
    page.wait_for_url("**/?*span=3d*")
    open_page(page, address, "history?where=confidence>=0.2")
    page.get_by_role("button", name="Confidence (output) ≥ 0.2").wait_for()
    page.get_by_text("Live", exact=True).click()
    page.wait_for_url("**/history?*history_live=true*")
    open_page(page, address, page.url.removeprefix(f"{address}/"))
    assert page.get_by_role("switch", name="Live").is_checked()
    open_page(page, address, "models")
    page.get_by_role("tab", name="Lineage").click()
    page.wait_for_url("**/models?*models_tab=Lineage*")
    open_page(page, address, page.url.removeprefix(f"{address}/"))
    assert page.get_by_role("tab", name="Lineage").get_attribute("aria-selected") == "true"
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def confirm_action(page: Any, opens: str, reason: str, *, force: bool = False) -> None:
    page.get_by_role("button", name=opens).click()
    dialog = page.locator("[data-testid='stPopoverBody']")
    dialog.get_by_label("Reason").fill(reason)
    if force:
        dialog.get_by_text("Override failed gates").click()
    dialog.get_by_role("button", name="Confirm").click()


def test_a_version_is_promoted_and_rolled_back_with_a_reason(page: Any, address: str, own: Workspace) -> None:
    registry = ModelRegistry(own.root)
    write_small_package(own.root / "other", "personality", "model=naive_bayes")
    registry.register_model("other", "personality_model")
    open_page(page, address, "models?version=2")
    confirm_action(page, "Change stage", "the owner asked for it", force=True)
    page.get_by_text("Production is version 2").wait_for()
    open_page(page, address, "models")
    confirm_action(page, "Roll back", "it was worse")
    page.get_by_text("Production is version 1").wait_for()
    assert [entry.reason for entry in registry.history("personality_model")[-2:]] == [
        "the owner asked for it",
        "it was worse",
    ]
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def test_an_unreachable_api_is_reported_with_the_start_command(page: Any, own: Workspace) -> None:
    with running_app(own, MLOPS_API_URL=_UNREACHABLE_URL) as address:
        open_page(page, address, "predict")
        page.get_by_text("mlops serve").first.wait_for()
        assert page.locator(EXCEPTION_SELECTOR).count() == 0
