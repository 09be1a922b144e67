"""The panel of a canary has a chart of predictions, failed requests and latency."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import text_of

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.parametrize(("n_hours", "n_charts"), [(0, 0), (2, 3)])
def test_a_canary_has_three_charts_and_other_trials_have_none(n_hours: int, n_charts: int) -> None:
    at = AppTest.from_string(
        "from app.views.loop import canary_panel\n"
        "from pipeline.metrics.canary_guard import VariantCounts\n"
        "from pipeline.trials.traffic_history import HourlyTraffic\n"
        "hours = [HourlyTraffic(hour, 'challenger', VariantCounts(10, 1, 20)) for hour in range("
        + str(n_hours)
        + ")]\n"
        "canary_panel.show_canary(hours)"
    ).run()
    assert not at.exception
    assert len(at.get("vega_lite_chart")) == n_charts
    assert ("Canary traffic by hour" in text_of(at)) == bool(n_hours)
