"""Each page with finished results, without results, and with broken files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import PAGES, app_page, errors_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.registry import ModelRegistry
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_finished_results_without_errors(name: str, project: Workspace) -> None:
    assert errors_of(app_page(name).run()) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_the_next_step_before_the_first_run(name: str, empty: Path) -> None:
    at = app_page(name).run()
    assert (errors_of(at), "make run" in text_of(at)) == ([], True)


def test_an_invalid_setting_is_shown_with_its_file(empty: Path) -> None:
    (empty / "params.yaml").write_text("name: 7\n", encoding="utf-8")
    at = app_page("overview").run()
    assert any("Invalid setting" in error.value for error in at.error)
    assert any("params.yaml" in code.value for code in at.code)


def test_an_unreachable_mlflow_is_reported_and_stops_no_other_page(
    project: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    at = app_page("experiments").run()
    assert any("unreachable" in error.value for error in at.error)
    assert errors_of(app_page("models").run()) == []


def test_a_damaged_state_database_is_reported(empty: Path, serving: Callable[[str], ModelRegistry]) -> None:
    serving("iris")
    for path in (empty / "state").glob("state.db*"):
        path.unlink()
    (empty / "state/state.db").write_bytes(b"no database" * 1000)
    assert "the state database is damaged" in text_of(app_page("overview").run())


@pytest.mark.parametrize("problem", ["wine", "breast_cancer"])
def test_another_problem_needs_no_code_change(
    problem: str, empty: Path, serving: Callable[[str], ModelRegistry]
) -> None:
    serving(problem)
    at = app_page("predict").run()
    at.button[0].click().run()
    assert errors_of(at) == []
    assert "not logged" in text_of(at)
    assert errors_of(app_page("models").run()) == []
