"""What people do in the app, in a real browser on a real log, with the clicks that each task takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

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
from tests.app.views.predictions.test_predict_page import unlabeled_csv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.workspace import Workspace

pytestmark = [
    pytest.mark.xdist_group("app"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt install chromium)"),
]
_MODEL = "personality_model"
# Its name has an icon in front; helps of other fields name predictions, too.
_PREDICT = re.compile("Predict$")


class Visitor:
    """A person with a browser; counts the clicks since the page was opened."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address, self.n_clicks = page, address, 0

    def open(self, name: str = "") -> None:
        open_page(self.page, self.address, name)
        self.n_clicks = 0

    def click(self, target: Any) -> None:
        target.click()
        self.n_clicks += 1
        wait_until_drawn(self.page)

    def follow(self, name: str | re.Pattern[str]) -> None:
        self.click(self.page.get_by_role("link", name=name).first)

    def press(self, name: str | re.Pattern[str]) -> None:
        self.click(self.page.get_by_role("button", name=name).first)

    def choose(self, name: str) -> None:
        self.click(self.page.get_by_role("tab", name=name))

    def sees(self, text: str | re.Pattern[str]) -> bool:
        self.page.get_by_text(text).first.wait_for()
        return int(self.page.locator(EXCEPTION_SELECTOR).count()) == 0

    def heading(self) -> str:
        return str(self.page.locator("h1").inner_text())


@pytest.fixture(scope="module")
def visitor(drifting_app: str) -> Iterator[Visitor]:
    with browser_page(width=1440) as page:
        yield Visitor(page, drifting_app)


def test_whether_production_is_healthy_is_on_the_first_page(visitor: Visitor) -> None:
    visitor.open()
    assert visitor.sees(re.compile(r"Production is (degraded since|down: API down, last seen) \d+ \w+ \d\d:\d\d"))
    assert re.search(r"(Degraded|Down)", visitor.page.title())
    assert visitor.n_clicks == 0


def test_an_incident_names_the_column_since_when_and_the_effect(visitor: Visitor) -> None:
    visitor.open()
    visitor.follow(re.compile("Look at incident"))
    assert visitor.heading().startswith("Incident ")
    assert visitor.sees(re.compile(r"Time spent alone: .* beyond its limit since \d+ \w+ \d\d:\d\d"))
    assert visitor.sees("Effect on predictions")
    assert visitor.sees("Effect on metrics")
    assert visitor.n_clicks == 1


def test_one_row_is_predicted_by_form_and_by_json(visitor: Visitor) -> None:
    visitor.open()
    visitor.follow("Predict")
    visitor.press(_PREDICT)
    assert visitor.sees("not logged")
    assert visitor.n_clicks == 2
    visitor.open("predict")
    visitor.choose("JSON")
    visitor.click(visitor.page.get_by_role("tabpanel").get_by_role("button", name=_PREDICT))
    assert visitor.sees("not logged")
    assert visitor.n_clicks == 2


def test_a_file_is_predicted_and_an_invalid_one_is_refused(visitor: Visitor, drifting_project: Workspace) -> None:
    rows = unlabeled_csv(drifting_project)
    header, first, *_ = rows.splitlines()
    for content, name, result in (
        (rows, "good.csv", "Predict 3 rows"),
        (f"{header}\n{first}\n{'many,' * first.count(',')}many\n", "bad.csv", r"bad\.csv: \d+ error"),
    ):
        visitor.open("predict")
        visitor.choose("File")
        file = {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
        visitor.page.locator("input[type=file]").set_input_files(file)
        assert visitor.sees(re.compile(result))
        if name == "good.csv":
            visitor.press(result)
            assert visitor.sees("Download all predictions")
            assert visitor.n_clicks == 2


def test_a_prediction_shows_why_and_what_would_change_it(visitor: Visitor) -> None:
    visitor.open("predict")
    visitor.press(_PREDICT)
    assert visitor.sees("Contribution")
    visitor.click(visitor.page.get_by_text("What-if").first)
    assert visitor.sees(re.compile("prediction flips|No single feature change flips"))
    assert visitor.n_clicks == 2


def test_two_versions_are_compared_promoted_and_rolled_back(visitor: Visitor, drifting_project: Workspace) -> None:
    registry = ModelRegistry(drifting_project.root)
    visitor.open()
    visitor.follow("Compare")
    assert visitor.sees("Settings that differ")
    assert visitor.n_clicks == 1
    visitor.page.get_by_label("Reason").first.fill("the owner asked for it")
    visitor.click(visitor.page.get_by_text("Override failed gates"))
    visitor.press(re.compile("Promote version 2"))
    assert visitor.sees("Production is version 2")
    assert visitor.n_clicks == 3
    visitor.page.get_by_label("Reason").first.fill("it was worse")
    visitor.press("Roll back")
    assert visitor.sees("Production is version 1")
    assert visitor.n_clicks == 4
    reasons = [entry.reason for entry in registry.history(_MODEL)[-2:]]
    assert reasons == ["the owner asked for it", "it was worse"]


def test_a_prediction_is_found_by_id_and_by_value_and_its_outcome_is_recorded(visitor: Visitor) -> None:
    visitor.open("predict")
    visitor.click(visitor.page.get_by_text("Log this prediction"))
    visitor.press(_PREDICT)
    prediction_id = shown_prediction_id(visitor.page)
    visitor.open("history")
    search = visitor.page.get_by_role("textbox", name="Search")
    search.fill("Stage_fear=Yes")
    search.press("Enter")
    assert visitor.sees(re.compile(r"^\d[\d,]* predictions\."))
    search.fill(prediction_id)
    search.press("Enter")
    assert visitor.sees("Actual outcome: not recorded")
    assert visitor.n_clicks == 0
    visitor.click(visitor.page.get_by_role("radio", name="Introvert"))
    visitor.press("Save")
    assert visitor.sees("Actual outcome: Introvert")
    assert visitor.n_clicks == 2


def test_wrong_predictions_are_one_click_away(visitor: Visitor) -> None:
    visitor.open("history")
    visitor.click(visitor.page.get_by_role("radio", name="Wrong"))
    assert visitor.sees(re.compile(r"^\d+ predictions\."))
    assert (visitor.n_clicks, "outcome=wrong" in visitor.page.url) == (1, True)


def test_an_incident_is_acknowledged_silenced_and_resolved(visitor: Visitor) -> None:
    visitor.open("incidents?incident=1")
    for action, result in (("Acknowledge", "Acknowledged"), ("Silence", "Silenced until"), ("Resolve", "Resolved")):
        before = visitor.n_clicks
        visitor.press(action)
        dialog = visitor.page.locator("[data-testid='stPopoverBody']")
        dialog.get_by_label("Reason").fill("looked at it")
        visitor.click(dialog.get_by_role("button", name="Confirm"))
        assert visitor.sees(result)
        assert (visitor.n_clicks - before, dialog.count()) == (2, 0)
    visitor.open("incidents")
    assert visitor.sees("looked at it")


def test_two_experiments_are_compared(visitor: Visitor) -> None:
    visitor.open()
    visitor.follow("Experiments")
    assert visitor.sees("Settings that differ")
    assert visitor.sees("ROC curve")
    assert visitor.n_clicks == 1


def test_a_setting_that_differs_between_two_versions_is_named(visitor: Visitor) -> None:
    visitor.open("compare?first=1&second=2")
    assert visitor.sees("model.name")
    assert visitor.n_clicks == 0


def test_the_data_quality_of_the_last_run_is_one_click_away(visitor: Visitor) -> None:
    visitor.open()
    visitor.follow("Data")
    assert visitor.sees("Completeness")
    assert visitor.n_clicks == 1


def test_what_a_person_sees_is_in_the_address(visitor: Visitor) -> None:
    visitor.open("monitoring?range=7d&column=Time_spent_Alone")
    shared = visitor.page.url
    visitor.open("history")
    visitor.page.goto(shared)
    wait_until_drawn(visitor.page)
    assert visitor.page.get_by_role("radio", name="7 days").is_checked()
    assert visitor.sees("Time spent alone")


def test_live_span_filters_and_tab_are_in_the_address(visitor: Visitor) -> None:
    page, address = visitor.page, visitor.address
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


def test_the_keyboard_alone_makes_a_prediction(visitor: Visitor) -> None:
    visitor.open("predict")
    button = visitor.page.get_by_role("button", name=_PREDICT).first
    for _ in range(60):
        visitor.page.keyboard.press("Tab")
        if button.evaluate("element => element === document.activeElement"):
            break
    visitor.page.keyboard.press("Enter")
    assert visitor.sees("not logged")
    assert visitor.n_clicks == 0


def test_a_missing_and_a_broken_database_and_an_unreachable_api_are_named(
    visitor: Visitor, drifting_project: Workspace
) -> None:
    database = drifting_project.root / "state/state.db"
    aside = database.with_name("aside.db")
    with running_app(drifting_project, MLOPS_API_URL="http://127.0.0.1:9") as address:
        stranger = Visitor(visitor.page, address)
        stranger.open("predict")
        assert stranger.sees("mlops serve")
        database.rename(aside)
        try:
            stranger.open()
            assert stranger.sees(re.compile("state database is missing", re.IGNORECASE))
            database.write_bytes(b"no database" * 1000)
            stranger.open("history")
            assert stranger.sees(re.compile("state database is damaged", re.IGNORECASE))
        finally:
            aside.replace(database)
    assert stranger.n_clicks == 0
