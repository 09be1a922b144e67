"""The panel of groups lists every group, and one with too few rows is gray and never called a pass."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import errors_of, tables_of, text_of

pytestmark = pytest.mark.xdist_group("app")


def _panel() -> None:
    from app.views.models.fairness_panel import show_fairness
    from pipeline.fairness import assess_fairness, recorded_groups
    from tests.fixtures.toy_dataset import settings
    from tests.pipeline.fairness.test_fairness_report import TARGET, tallies

    groups = {"f": (4000, 800, 700, 4000), "m": (4100, 800, 720, 4050), "x": (20, 4, 3, 20), "y": (0, 0, 0, 0)}
    report = assess_fairness([tallies(**groups)], TARGET, settings().fairness).as_dict()
    show_fairness(report, {"sex": "Sex"}, live=[(1, recorded_groups(report)), (2, recorded_groups(report))])


def test_a_small_group_is_gray_and_an_empty_one_is_listed() -> None:
    at = AppTest.from_function(_panel, default_timeout=60).run()
    assert errors_of(at) == []
    text = text_of(at)
    assert ":gray-badge[not enough data]" in text
    assert "Groups without rows: y." in text
    table, live = tables_of(at)
    assert dict(zip(table["Group"], table["Verdict"], strict=True)) == {
        "f": "pass",
        "m": "pass",
        "x": "not enough data",
    }
    assert set(live["Group"]) == {"f", "m", "x"}
    assert live.set_index("Group").loc["x", "Interval"] == "-"
    assert "2 points of groups with too few rows are not drawn." in text
    assert len(at.get("vega_lite_chart")) == 2
