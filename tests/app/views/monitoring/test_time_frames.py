"""A selection in a chart is a point, a range, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app.views.monitoring.time_frames import metric_frame, picked_point, zoomed_ends
from pipeline.metrics import MetricEstimate
from pipeline.monitoring import PerformancePoint


@pytest.mark.parametrize("state", [None, {}, {"selection": {}}, {"selection": {"zoom": {}, "picked": []}}])
def test_nothing_selected_is_no_point_and_no_range(state: Any) -> None:
    assert (picked_point(state), zoomed_ends(state)) == ({}, None)


def test_a_click_is_its_fields_and_a_drag_its_ends_in_order() -> None:
    state = {"selection": {"picked": [{"column": "age", "moment": "m"}], "zoom": {"at": [7_200_000, 3_600_000]}}}
    assert picked_point(state) == {"column": "age", "moment": "m"}
    assert zoomed_ends(state) == (3_600_000_000, 7_200_000_000)


def test_a_drag_of_less_than_a_minute_is_no_range() -> None:
    assert zoomed_ends({"selection": {"zoom": {"at": [0, 59_000]}}}) is None


def test_a_point_without_a_value_is_left_out() -> None:
    points = [
        PerformancePoint(0, 2_000_000, 200, MetricEstimate(0.5)),
        PerformancePoint(2_000_000, 4_000_000, 9, MetricEstimate(None, reason="9 of 200 outcomes needed")),
    ]
    frame = metric_frame([("Realized", points)])
    assert frame[["line", "value", "n_rows"]].to_dict("records") == [{"line": "Realized", "value": 0.5, "n_rows": 200}]
    assert (frame["at"] - frame["begin"]).dt.total_seconds().tolist() == [1.0]
    assert frame[["low", "high"]].isna().all().all()
