"""The outcome form stores the outcome of a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import text_of
from tests.app.views.predictions.test_predict_page import logged_predictions, predict_by_form

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_an_outcome_is_stored_with_its_prediction(project: Workspace) -> None:
    at = predict_by_form()
    newest = logged_predictions(project)[0]
    other = next(name for name in newest.probabilities if name != newest.prediction)
    at.pills[0].set_value(other).run()
    at.button(key=f"save_{newest.prediction_id}").click().run()
    assert "Outcome saved" in at.toast[0].value
    assert f"Actual outcome: **{other}**" in text_of(at)
    assert logged_predictions(project)[0].outcome == other
