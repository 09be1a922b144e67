"""The history page searches the prediction log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, errors_of, text_of
from tests.app.views.test_predict_page import logged_predictions, predict_by_form

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_the_history_finds_a_prediction_by_its_id(project: Workspace) -> None:
    predict_by_form()
    predict_by_form()
    prediction_id = logged_predictions(project)[1].prediction_id
    at = app_page("history").run()
    at.text_input(key="history_text").set_value(prediction_id).run()
    assert list(at.dataframe[0].value["Prediction ID"]) == [prediction_id]


@pytest.mark.parametrize(
    ("confidence", "is_shown"), [(["20", "100"], True), (["100", "20"], True), (["0", "1"], False), (["500"], True)]
)
def test_the_address_selects_the_confidence(confidence: list[str], is_shown: bool, project: Workspace) -> None:
    predict_by_form()
    at = app_page("history")
    at.query_params["history_confidence"] = confidence
    at.query_params["history_live"] = "maybe"
    at.run()
    assert errors_of(at) == []
    assert ("No predictions match" not in text_of(at)) == is_shown
    assert at.toggle(key="history_live").value is False
