"""The loop page names what happened, and why nothing happened."""

from __future__ import annotations

import pytest

from tests.app.conftest import app_page, errors_of, text_of
from tests.app.loop_history import IDLE_REASON

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.usefixtures("loop_trial")
def test_the_timeline_has_what_happened_and_why_nothing_happened() -> None:
    at = app_page("loop").run()
    text = text_of(at).replace("\\", "").replace("*", "")
    assert errors_of(at) == []
    assert (IDLE_REASON in text, "1 of at most 2" in text) == (True, True)
    assert at.dataframe[0].value["Action"].tolist() == ["propose canary"]
