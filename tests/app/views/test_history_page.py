"""The history page searches the prediction log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page
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
