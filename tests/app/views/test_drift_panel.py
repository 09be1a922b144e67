"""Drift by feature is a frame of multiples of the threshold."""

from __future__ import annotations

from typing import Any

import pytest

from app.views.drift_panel import VERDICT_LABELS, drift_ratio_frame


def finding(**changes: Any) -> dict[str, Any]:
    return {"column": "age", "value": 0.3, "threshold": 0.2, "verdict": "drift", "summary": "mean rose", **changes}


def test_the_ratio_is_the_value_in_multiples_of_the_threshold() -> None:
    frame = drift_ratio_frame({"findings": [finding()]}, {"age": "Age"})
    assert frame.to_dict("records") == [
        {"name": "Age", "ratio": pytest.approx(1.5), "verdict": "drift", "summary": "mean rose"}
    ]


@pytest.mark.parametrize("changes", [{"value": None}, {"threshold": None}, {"threshold": 0.0}])
def test_without_a_value_or_a_threshold_the_ratio_is_zero(changes: dict[str, Any]) -> None:
    assert drift_ratio_frame({"findings": [finding(**changes)]}, {})["ratio"].tolist() == [0.0]


def test_a_feature_without_a_title_is_named_by_its_column() -> None:
    frame = drift_ratio_frame({"findings": [finding(column="post_frequency")]}, {})
    assert frame["name"].tolist() == ["post frequency"]


def test_a_long_title_and_a_long_summary_are_cut() -> None:
    frame = drift_ratio_frame({"findings": [finding(summary="x" * 500)]}, {"age": "A" * 100})
    assert (len(frame["name"][0]), len(frame["summary"][0])) == (40, 200)


def test_no_finding_is_an_empty_frame_with_all_columns() -> None:
    assert list(drift_ratio_frame({"findings": []}, {}).columns) == ["name", "ratio", "verdict", "summary"]


def test_each_verdict_has_a_label() -> None:
    assert VERDICT_LABELS["not_enough_data"] == "not enough data"
    assert set(VERDICT_LABELS) == {"stable", "watch", "drift", "not_enough_data", "not_evaluated"}
