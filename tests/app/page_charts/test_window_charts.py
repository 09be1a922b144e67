"""Charts over time hold their rows and references, and their axis shows the change."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from app import charts
from app.page_charts import window_charts
from tests.app.test_charts import ODD_NAMES, SINCE, UNTIL, chart_rows

MARKS = pd.DataFrame({"at": [SINCE, UNTIL], "label": ["version 1", "version 2"]})
AXIS = window_charts.TimeAxis(SINCE, UNTIL, "Europe/Vienna (UTC+01:00)", MARKS)


def metrics(values: list[float]) -> pd.DataFrame:
    times = {"at": SINCE, "begin": SINCE, "end": UNTIL}
    return pd.DataFrame(
        {"line": "Realized", **times, "value": values, "low": None, "high": None, "n_rows": 200}
    ).astype({"low": float, "high": float})


def drift(names: list[str]) -> pd.DataFrame:
    times = {"at": SINCE, "begin": SINCE, "end": UNTIL}
    fixed = {**times, "ratio": 26.0, "verdict": "drift", "n_rows": 200, "moment": "2026-01-01T00:00Z"}
    return pd.DataFrame({"name": names, "column": names, **fixed})


CHARTS: dict[str, Any] = {
    "drift": lambda names: window_charts.drift_history(drift(names), AXIS, colored=names[:2]),
    "counts": lambda names: window_charts.class_traffic(
        pd.DataFrame({"at": SINCE, "label": names, "rows": 1.0}), AXIS, scale="counts"
    ),
    "log": lambda names: window_charts.class_traffic(
        pd.DataFrame({"at": SINCE, "label": names, "rows": 1.0}), AXIS, scale="log"
    ),
    "shares": lambda names: window_charts.class_traffic(
        pd.DataFrame({"at": SINCE, "label": names, "rows": 1.0}), AXIS, scale="shares"
    ),
}


@pytest.mark.parametrize("chart", CHARTS)
def test_any_name_can_be_drawn_beside_deployments(chart: str) -> None:
    values = {str(value) for row in chart_rows(CHARTS[chart](ODD_NAMES)) for value in row.values()}
    assert {*ODD_NAMES, "version 1", "version 2"} <= values


def test_drift_is_clipped_and_the_limit_is_at_one() -> None:
    rows = chart_rows(CHARTS["drift"](["age"]))
    assert {row["clipped"] for row in rows if "clipped" in row} == {charts.MAX_RATIO}
    assert [row["reference"] for row in rows if "reference" in row] == [1.0]


@pytest.mark.parametrize(
    ("values", "references", "percent", "expected"),
    [
        ([0.95, 0.92], [0.96], True, [0.9168, 0.9632]),
        ([0.0, 0.02], [], True, [0.0, 0.0216]),
        ([0.1, 0.5], [0.125], False, [0.068, 0.532]),
        ([0.3], [], False, [0.29, 0.31]),
    ],
)
def test_the_axis_of_a_metric_shows_the_change(
    values: list[float], references: list[float], *, percent: bool, expected: list[float]
) -> None:
    chart = window_charts.metric_history(
        metrics(values),
        AXIS,
        title="Metric",
        percent=percent,
        references=tuple(("training", value, False) for value in references),
    )
    domains = [layer["encoding"]["y"]["scale"]["domain"] for layer in chart.to_dict()["layer"] if _has_scale(layer)]
    assert domains
    assert all(domain == pytest.approx(expected) for domain in domains)


def _has_scale(layer: dict[str, Any]) -> bool:
    return "scale" in layer.get("encoding", {}).get("y", {})
