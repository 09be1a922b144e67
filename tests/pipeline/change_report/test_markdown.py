"""The Markdown of a change report contains a text chart of intervals."""

from __future__ import annotations

from pipeline.change_report.change_report import MetricChange
from pipeline.change_report.markdown import _interval_chart
from pipeline.metrics import MetricEstimate

Interval = tuple[float, float | None, float | None]


def metric_change(before: Interval, after: Interval) -> MetricChange:
    return MetricChange("brier", "", False, MetricEstimate(*before), MetricEstimate(*after), None)


def test_both_intervals_are_drawn_over_one_axis() -> None:
    # An axis of 47 steps from 0.10 to 0.57 has one step for each hundredth.
    lines = list(_interval_chart([metric_change((0.12, 0.10, 0.15), (0.55, 0.52, 0.57))]))
    assert lines == [
        "```text",
        f"Brier score  before  {'├─●──┤':48}  0.12",
        f"             after   {' ' * 42 + '├──●─┤'}  0.55",
        "```",
        "",
    ]


def test_a_metric_without_an_interval_is_not_drawn() -> None:
    assert list(_interval_chart([metric_change((0.1, None, None), (0.2, 0.1, 0.3))])) == []


def test_intervals_without_width_are_one_point() -> None:
    lines = list(_interval_chart([metric_change((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]))
    assert {line.count("●") for line in lines if "before" in line or "after" in line} == {1}
