"""The loop page opens the tab of what the address names."""

from __future__ import annotations

import pytest

from tests.app.conftest import app_page, errors_of, text_of

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.usefixtures("loop_trial")
def test_an_address_opens_a_trial_or_a_retrain() -> None:
    for parameter, title in (("trial", "### Trial 1"), ("retrain", "### Retrain 1")):
        at = app_page("loop")
        at.query_params[parameter] = "1"
        at.run()
        assert errors_of(at) == []
        text = text_of(at)
        assert title in text
        assert "1** of at most 2" in text
