"""The result of a prediction shows contributions and what-if."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import text_of
from tests.app.views.predictions.test_predict_page import predict_by_form

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_a_prediction_shows_contributions_and_what_if(project: Workspace) -> None:
    at = predict_by_form()
    at.session_state["what_if_form"] = True
    at.run()
    assert [expander.label for expander in at.expander] == [
        "Feature contributions",
        "What-if",
        "Record the actual outcome",
    ]
    assert "the prediction" in text_of(at)
    assert "flips" in text_of(at)


@pytest.mark.usefixtures("project")
def test_a_prediction_is_explained_by_the_package_that_made_it() -> None:
    at = predict_by_form(is_logged=False)
    challenger = "f" * 64
    at.session_state["last_result_form"]["prediction"]["model_digest"] = challenger
    at.run()
    assert challenger in text_of(at)
