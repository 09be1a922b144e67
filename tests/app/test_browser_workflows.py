"""What people do all day, in a real browser: ask by JSON and by file, look for an answer, see drift, and be told what is down."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.registry import ModelRegistry
from tests.app.browser import CHROMIUM, EXCEPTION_SELECTOR, browser_page, open_page, running_app, shown_prediction_id
from tests.app.drifting_day import log_drifting_day
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
def own(_copied: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy with a day of answers of which the last hours moved."""
    made = _copied.copy(tmp_path_factory.mktemp("browser") / "own")
    for path in (made.root / "state").glob("state.db-shm"):
        path.unlink()
    log_drifting_day(made.root)
    return made


@pytest.fixture(scope="module")
def address(own: Workspace) -> Iterator[str]:
    with running_app(own) as found:
        yield found


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    with browser_page() as found:
        yield found


def upload(page: Any, content: str, name: str) -> None:
    page.get_by_role("tab", name="File").click()
    given = {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    page.locator("input[type=file]").set_input_files(given)


def test_a_body_of_json_is_answered_and_found_again_by_its_identifier(page: Any, address: str) -> None:
    open_page(page, address, "predict")
    page.get_by_role("tab", name="JSON").click()
    page.get_by_role("tabpanel").get_by_role("button", name="Predict").click()
    wanted = shown_prediction_id(page)
    open_page(page, address, f"history?history_text={wanted}")
    page.get_by_text("1 prediction", exact=True).wait_for()
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def test_a_good_file_is_answered_and_a_bad_one_refused_with_its_line(page: Any, address: str, own: Workspace) -> None:
    open_page(page, address, "predict")
    good = unlabeled_csv(own)
    upload(page, good, "good.csv")
    page.get_by_role("button", name="Predict 3 rows").click()
    page.get_by_text("Download all answers").wait_for()
    header, first, *_ = good.splitlines()
    open_page(page, address, "predict")
    upload(page, f"{header}\n{first}\n{'many,' * first.count(',')}many\n", "bad.csv")
    page.get_by_text(re.compile(r"bad\.csv is refused for \d+ problem")).wait_for()
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def test_a_day_that_moved_is_called_drift(page: Any, address: str) -> None:
    open_page(page, address, "monitoring")
    told = page.locator("[data-testid='stMetric']").filter(has_text="Drift")
    assert "drift" in told.inner_text().splitlines()
    page.locator("[data-testid='stVegaLiteChart']").nth(4).wait_for()
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def confirm_action(page: Any, opens: str, reason: str, *, force: bool = False) -> None:
    page.get_by_role("button", name=opens).click()
    dialog = page.locator("[data-testid='stPopoverBody']")
    dialog.get_by_label("Why").fill(reason)
    if force:
        dialog.get_by_text("Go past the gates").click()
    dialog.get_by_role("button", name="Confirm").click()


def test_a_version_is_promoted_and_rolled_back_with_a_reason(page: Any, address: str, own: Workspace) -> None:
    registry = ModelRegistry(own.root)
    write_small_package(own.root / "other", "personality", "model=naive_bayes")
    registry.register_model("other", "personality_model")
    open_page(page, address, "models?version=2")
    confirm_action(page, "Move to another stage", "the owner asked for it", force=True)
    page.get_by_text("Production is version 2").wait_for()
    open_page(page, address, "models")
    confirm_action(page, "Roll back", "it was worse")
    page.get_by_text("Production is version 1").wait_for()
    assert [one.reason for one in registry.history("personality_model")[-2:]] == [
        "the owner asked for it",
        "it was worse",
    ]
    assert page.locator(EXCEPTION_SELECTOR).count() == 0


def test_a_dead_api_is_told_with_what_to_do(page: Any, own: Workspace) -> None:
    with running_app(own, MLOPS_API_URL=_UNREACHABLE_URL) as address:
        open_page(page, address, "predict")
        page.get_by_text("mlops serve").first.wait_for()
        assert page.locator(EXCEPTION_SELECTOR).count() == 0
