"""An hour without predictions is a zero of the chart, not a gap."""

from __future__ import annotations

from datetime import UTC

import altair as alt

from app.page_charts.overview_charts import hourly_frame, rate_line, traffic_area
from pipeline.monitoring import HourlyPredictions
from pipeline.state import HOUR_US

_NOW = 491_000 * HOUR_US + 5


def test_each_of_the_last_hours_has_a_row() -> None:
    hours = (HourlyPredictions(_NOW - 5 - HOUR_US, 7.0, {}, 0.9, {}),)
    frame = hourly_frame(hours, n_hours=3, now=_NOW, zone=UTC)
    assert frame["rows"].tolist() == [0.0, 7.0, 0.0]
    assert frame["at"].diff().dropna().dt.total_seconds().tolist() == [3600, 3600]


def test_the_chart_is_valid() -> None:
    frame = hourly_frame((), n_hours=3, now=_NOW, zone=UTC)
    alt.Chart.from_dict(traffic_area(frame).to_dict())


def test_a_rate_has_its_training_value_as_a_line() -> None:
    frame = hourly_frame((), n_hours=3, now=_NOW, zone=UTC).rename(columns={"rows": "value"})
    layers = rate_line(frame, title="Error rate", training=0.03).to_dict()["layer"]
    assert [layer["mark"]["type"] for layer in layers] == ["line", "rule"]
    assert rate_line(frame, title="Error rate", training=None).to_dict()["mark"]["type"] == "line"
