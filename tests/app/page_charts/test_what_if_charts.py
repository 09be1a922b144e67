"""Charts of what-if predictions hold the rows of their frames, whatever the names are."""

from __future__ import annotations

import pandas as pd

from app.page_charts import what_if_charts
from tests.app.test_charts import ODD_NAMES, chart_rows


def test_any_word_can_be_drawn() -> None:
    frame = pd.DataFrame({"value": ODD_NAMES, "probability": 0.5, "prediction": "a", "is_present": False})
    assert {row["value"] for row in chart_rows(what_if_charts.what_if_bars(frame, label="a"))} == set(ODD_NAMES)


def test_numbers_have_a_number_axis_and_a_line_at_each_flip() -> None:
    frame = pd.DataFrame({"value": [278.0, 1195.0], "probability": 0.5, "prediction": "a", "is_present": False})
    chart = what_if_charts.what_if_line(frame, feature="Proline", label="a", flips=[735])
    line, rule, _ = chart.to_dict()["layer"]
    assert (line["encoding"]["x"]["type"], rule["mark"]["type"]) == ("quantitative", "rule")
    assert {"at": 735.0} in chart_rows(chart)
