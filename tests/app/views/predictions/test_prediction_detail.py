"""A logged prediction has a page: inputs beside training values, contributions, what-if, outcomes, neighbors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.app.conftest import app_page, errors_of, tables_of, text_of
from tests.app.views.predictions.test_history_page import log_rows
from tests.app.views.predictions.test_predict_page import logged_predictions, predict_by_form

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def prediction_page(prediction_id: str, **parameters: Any) -> AppTest:
    at = app_page("history")
    for name, value in {"prediction_id": prediction_id, **parameters}.items():
        at.query_params[name] = value
    return at.run()


def test_a_prediction_is_shown_with_its_inputs_and_reasons(project: Workspace) -> None:
    predict_by_form()
    newest = logged_predictions(project)[0]
    at = prediction_page(newest.prediction_id)
    assert errors_of(at) == []
    inputs = tables_of(at)[0]
    assert sorted(inputs["Value"]) == sorted(map(str, newest.features.values()))
    assert set(inputs["Contribution"]) != {""}
    assert "0 to 11" in inputs["Training values"].tolist()
    assert "flips" in text_of(at)
    assert "Version 1 (champion)" in text_of(at)


@pytest.mark.parametrize("number", [10, 11])
def test_a_prediction_is_explained_only_where_its_package_agrees(number: int, project: Workspace) -> None:
    log_rows(project.root)
    at = prediction_page(f"history-{number}")
    assert ("Contribution" in tables_of(at)[0].columns) != bool(at.warning)


def test_the_outcomes_of_a_prediction_are_listed(project: Workspace) -> None:
    log_rows(project.root)
    at = prediction_page("history-1")
    assert tables_of(at)[-1]["Outcome"].tolist() == ["Extrovert"]
    assert "Wrong" in text_of(at)


def test_the_neighbors_are_a_click_away_and_filters_survive(project: Workspace) -> None:
    log_rows(project.root)
    at = prediction_page("history-5", outcome="wrong")
    at.button(key="prediction_later").click().run()
    assert "history-6" in text_of(at)
    at.button(key="prediction_back").click().run()
    assert (at.title[0].value, at.segmented_control(key="history_outcome").value) == ("History", "wrong")


@pytest.mark.usefixtures("project")
def test_an_unknown_identifier_is_explained() -> None:
    at = prediction_page("<b>nothing</b>")
    assert "was removed by the retention or by the erasure of its subject" in text_of(at)
    assert not at.exception
