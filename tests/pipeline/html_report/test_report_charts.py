"""Charts of HTML reports have axes, labels that do not overlap, and places in proportion to values."""

from __future__ import annotations

import re

from pipeline.html_report.report_charts import BarSeries, bar_chart, interval_chart, line_chart, time_chart

HOUR_US = 3_600_000_000


def test_bars_are_as_high_as_their_shares_and_name_them() -> None:
    chart = bar_chart(["a", "b"], [BarSeries("current", "of the rows", [0.5, 0.25])], alt="Shares")
    heights = [float(height) for height in re.findall(r'width="[\d.]+" height="([\d.]+)"', chart)]
    assert heights[0] == 2 * heights[1] > 0
    assert "<title>b: 25% of the rows</title>" in chart
    assert ">50%</text>" in chart
    assert ">0%</text>" in chart


def test_labels_that_do_not_fit_are_left_out_and_the_ends_remain() -> None:
    labels = [f"{low} to {low + 1} thousand" for low in range(20)]
    chart = bar_chart(labels, [BarSeries("current", "", [0.05] * 20)], alt="Shares")
    shown = re.findall(r'text-anchor="middle">([^<]+)<', chart)
    assert {labels[0], labels[-1]} <= set(shown)
    assert len(shown) < 6


def test_no_bins_are_no_chart() -> None:
    assert bar_chart([], [], alt="Shares") == ""


def test_intervals_share_one_axis() -> None:
    chart = interval_chart([("reference", "before", 1.0, 0.0, 2.0), ("current", "after", 3.0, 2.0, 4.0)], alt="Loss")
    starts_and_ends = [
        float(x) for pair in re.findall(r'x1="([\d.]+)" x2="([\d.]+)" y1="\d+" y2="\d+" st', chart) for x in pair
    ]
    assert starts_and_ends[1] == starts_and_ends[2]
    assert "<title>after: 3 (2 to 4)</title>" in chart


def test_a_curve_names_both_axes_and_escapes_them() -> None:
    chart = line_chart([("current", [(0.0, 0.0), (1.0, 1.0)])], x_label="a < b", y_label="observed", alt="Curve")
    assert "a &lt; b</text>" in chart
    assert chart.count("<path") == 1


def test_the_limit_stays_visible_below_a_far_higher_value() -> None:
    chart = time_chart([(0, 0.5), (HOUR_US, 40.0)], limit=1.0, alt="Drift")
    (limit,) = re.findall(r'class=limit x1="\d+" x2="\d+" y1="([\d.]+)"', chart)
    bottom, height = 108, 100
    assert float(limit) == bottom - height / 5
    assert "over 5</text>" in chart
    assert "<title>1970-01-01 01:00:00 UTC: 40</title>" in chart


def test_one_point_is_drawn() -> None:
    assert time_chart([(0, 0.5)], limit=1.0, alt="Drift").count("<circle") == 1
