"""Each page on finished results, on nothing, and on what is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.app.conftest import PAGES, app_page, errors_of, text_of
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.registry import ModelRegistry
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_finished_results_without_a_failure(name: str, project: Workspace) -> None:
    assert errors_of(app_page(name).run()) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_to_do_before_the_first_run(name: str, empty: Path) -> None:
    shown = app_page(name).run()
    assert (errors_of(shown), "make run" in text_of(shown)) == ([], True)


def test_the_app_opens_on_the_overview(project: Workspace) -> None:
    shown = AppTest.from_file(str(ROOT / "app/main.py"), default_timeout=60).run()
    assert ([one.value for one in shown.title], errors_of(shown)) == (["Overview"], [])


def test_the_overview_tells_which_version_serves_and_how_good_it_is(project: Workspace) -> None:
    shown = app_page("overview").run()
    cards = {one.label: one.value for one in shown.metric}
    assert (cards["Version serving"], cards["Engine"]) == ("1", "ready")


def test_the_configuration_names_the_file_of_each_value(project: Workspace) -> None:
    shown = app_page("configuration").run()
    shown.text_input(key="config_search").set_value("training.folds").run()
    found = shown.dataframe[0].value
    assert found.to_dict("records") == [{"Key": "training.folds", "Value": "2", "Set in": "conf/training/default.yaml"}]


def test_the_models_page_shows_gates_and_the_audit_trail(project: Workspace) -> None:
    tables = [one.value for one in app_page("models").run().dataframe]
    gates = next(one for one in tables if "Gate" in one.columns)
    audit = next(one for one in tables if "Generation" in one.columns)
    assert set(gates["Result"]) == {"pass"}
    assert list(audit["What"])[-2:] == ["promote", "register"]  # what other tests decided stands above


def test_a_broken_configuration_is_told_with_its_file(empty: Path) -> None:
    (empty / "params.yaml").write_text("name: 7\n", encoding="utf-8")
    shown = app_page("overview").run()
    assert any("A setting is refused" in one.value for one in shown.error)
    assert any("params.yaml" in one.value for one in shown.code)


def test_a_dead_mlflow_is_told_and_stops_no_other_page(project: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    shown = app_page("experiments").run()
    assert any("cannot be reached" in one.value for one in shown.error)
    assert errors_of(app_page("models").run()) == []


def test_a_damaged_state_database_is_told(empty: Path, serving: Callable[[str], ModelRegistry]) -> None:
    serving("iris")
    for path in (empty / "state").glob("state.db*"):
        path.unlink()
    (empty / "state/state.db").write_bytes(b"no database" * 1000)
    assert any("cannot be reached" in one.value for one in app_page("overview").run().error)


def test_an_app_that_answers_other_machines_only_shows(project: Workspace) -> None:
    st.config.set_option("server.address", "0.0.0.0")
    models, predict = app_page("models").run(), app_page("predict").run()
    assert [one.key for one in (*models.button, *predict.button)] == []
    assert "only shows" in text_of(models)


@pytest.mark.parametrize("problem", ["wine", "breast_cancer"])
def test_another_problem_appears_with_no_line_changed(
    problem: str, empty: Path, serving: Callable[[str], ModelRegistry]
) -> None:
    serving(problem)
    shown = app_page("predict").run()
    shown.button[0].click().run()
    assert errors_of(shown) == []
    assert "logged as" in text_of(shown)
    assert errors_of(app_page("models").run()) == []
