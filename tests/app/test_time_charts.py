"""A line chart with a limit validates against Vega-Lite, and its axis holds values, limit and training value."""

from __future__ import annotations

from typing import Any

import pandas as pd

from app.time_charts import LINE_COLUMNS, lines_with_limit

AT = pd.to_datetime(["2026-01-01 00:00", "2026-01-01 06:00", "2026-01-01 09:00"])
FRAME = pd.DataFrame(
    [("Log loss", AT[0], AT[1], 0.13, 0.12, 0.14, 400, False), ("Log loss", AT[1], AT[2], 0.24, 0.2, 0.28, 300, True)],
    columns=list(LINE_COLUMNS),
)


def domains(chart: Any) -> list[list[float]]:
    found = []

    def search(value: Any) -> None:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if key == "y" and isinstance(item, dict) and "scale" in item:
                found.append(item["scale"]["domain"])
            elif isinstance(item, dict | list) and key != "datasets":
                search(item)

    search(chart.to_dict())
    return found


def test_the_axis_is_zoomed_to_values_limit_and_training() -> None:
    marks = pd.DataFrame({"at": AT[[0, 2]], "text": ["v1", "v2"]})
    chart = lines_with_limit(FRAME, title="Log loss", limit=0.4, baseline=0.1, marks=marks, zone="UTC")
    low, high = domains(chart)[0]
    assert 0 < low < 0.1
    assert 0.4 < high < 0.5


def test_multiples_of_a_limit_begin_at_zero_and_show_the_limit() -> None:
    chart = lines_with_limit(FRAME, title="Drift", limit=1.0, is_log=True)
    assert domains(chart)[0] == [0, 2.0]
