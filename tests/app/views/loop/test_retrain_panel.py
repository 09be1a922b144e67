"""The panel of retrains has the cause, the state and the evidence of each."""

from __future__ import annotations

import pytest

from tests.app.conftest import app_page, errors_of, tables_of, text_of

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.usefixtures("loop_trial")
def test_the_panel_has_the_state_and_the_evidence() -> None:
    at = app_page("loop")
    at.query_params["loop_tab"] = "Retrains"
    at.run()
    assert (errors_of(at), "Retrain 1 :red-badge[needs decision]" in text_of(at)) == ([], True)
    facts = [dict(frame.to_numpy()) for frame in tables_of(at) if list(frame.columns) == ["Fact", "Value"]]
    assert {"reason": "log loss rose by 0.1"} in facts
