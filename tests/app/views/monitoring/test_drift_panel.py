"""Drift by feature is a frame of multiples of the limit, by impact, with outputs of the model last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.page_queries.window_queries import DriftOverview
from app.views.monitoring.drift_panel import VERDICT_LABELS, describe_start, drift_ratio_frame
from pipeline.monitoring import DriftFinding, DriftLine, DriftPoint
from pipeline.schema import FeatureLabels

if TYPE_CHECKING:
    from pipeline.monitoring.drift.verdict_severity import DriftVerdict

LABELS = FeatureLabels({"age": "Age"})
VERDICTS: tuple[DriftVerdict, ...] = ("stable", "drift", "drift")


def finding(**changes: Any) -> dict[str, Any]:
    known = {"column": "age", "kind": "feature", "value": 0.3, "threshold": 0.2, "verdict": "drift"}
    return {**known, "summary": "mean rose", **changes}


def test_the_ratio_is_the_value_in_multiples_of_the_limit() -> None:
    frame = drift_ratio_frame({"findings": [finding()]}, LABELS)
    assert frame.to_dict("records") == [
        {"name": "Age", "column": "age", "ratio": pytest.approx(1.5), "verdict": "drift", "summary": "mean rose"}
    ]


@pytest.mark.parametrize("changes", [{"value": None}, {"threshold": None}, {"threshold": 0.0}])
def test_an_unknown_value_is_not_drawn(changes: dict[str, Any]) -> None:
    frame = drift_ratio_frame({"findings": [finding(**changes)]}, LABELS)
    assert (len(frame), list(frame.columns)) == (0, ["name", "column", "ratio", "verdict", "summary"])


def test_outputs_of_the_model_are_after_all_features() -> None:
    output = finding(column="confidence", kind="prediction")
    frame = drift_ratio_frame({"findings": [output, finding(), finding(column="post_frequency")]}, LABELS)
    assert frame["name"].tolist() == ["Age", "post frequency", "Confidence (output)"]


def test_the_start_of_drift_is_named_for_features_alone() -> None:
    points = tuple(
        DriftPoint(hour * 3_600_000_000, (hour + 1) * 3_600_000_000, 200, DriftFinding("age", "feature", verdict))
        for hour, verdict in enumerate(VERDICTS)
    )
    lines = (DriftLine("age", "feature", points), DriftLine("confidence", "prediction", points[1:]))
    report = {"findings": [finding(), finding(column="confidence", kind="prediction")]}
    assert describe_start(DriftOverview(report, lines), LABELS) == "Age since 1 Jan 01:00"
    before = (DriftLine("age", "feature", points[1:]),)
    assert describe_start(DriftOverview(report, before), LABELS) == "Age before 1 Jan 01:00"


def test_each_verdict_has_a_label() -> None:
    assert VERDICT_LABELS["not_enough_data"] == "not enough data"
    assert set(VERDICT_LABELS) == {"stable", "watch", "drift", "not_enough_data", "not_evaluated"}
