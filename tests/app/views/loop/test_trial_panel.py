"""The panel of trials has the gain, its interval and what decides."""

from __future__ import annotations

import pytest

from tests.app.conftest import app_page, errors_of, text_of

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.usefixtures("loop_trial")
def test_the_panel_has_the_gain_and_what_decides() -> None:
    at = app_page("loop")
    at.query_params["loop_tab"] = "Trials"
    at.run()
    assert errors_of(at) == []
    metrics = {metric.label: metric.value for metric in at.metric}
    assert (metrics["Gain in log loss"], metrics["Outcomes so far"]) == ("+0.0100", "1,200")
    assert "Predictions count from" in text_of(at)
