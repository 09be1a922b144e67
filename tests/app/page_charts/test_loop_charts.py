"""The band of a trial is drawn as it is, and bounds far outside are cut."""

from __future__ import annotations

import pandas as pd

from app.page_charts import loop_charts
from tests.app.test_charts import chart_rows


def test_bounds_far_outside_of_the_last_ones_are_cut() -> None:
    frame = pd.DataFrame(
        {
            "n_outcomes": [20, 2_000],
            "n_units": [2, 100],
            "gain": [0.02, 0.01],
            "lower": [-90.0, 0.005],
            "upper": [90.0, 0.015],
        }
    )
    chart = loop_charts.gain_over_outcomes(frame, metric="log loss", min_outcomes=500)
    rows = [row for row in chart_rows(chart) if "lower" in row]
    assert [(row["lower"], row["upper"]) for row in rows[:2]] == [(-0.12, 0.12), (0.005, 0.015)]


def test_an_empty_frame_is_a_valid_chart() -> None:
    frame = pd.DataFrame({name: [] for name in ("n_outcomes", "n_units", "gain", "lower", "upper")})
    chart = loop_charts.gain_over_outcomes(frame, metric="log loss", min_outcomes=500)
    assert chart.to_dict()["$schema"].startswith("https://vega.github.io")


def test_traffic_has_a_line_of_each_variant_that_had_some() -> None:
    frame = pd.DataFrame({"at": pd.Timestamp(0), "variant": ["challenger", "champion"], "requests": 1, "value": 0.5})
    spec = loop_charts.traffic_over_time(frame, title="Failed requests", axis_format=".1%").to_dict()
    assert spec["encoding"]["color"]["scale"]["domain"] == ["champion", "challenger"]
    alone = loop_charts.traffic_over_time(frame.head(1), title="Predictions", axis_format=",d").to_dict()
    assert alone["encoding"]["color"]["scale"]["domain"] == ["challenger"]
