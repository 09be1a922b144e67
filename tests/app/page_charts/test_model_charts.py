"""Charts of a version hold the rows of their frames, whatever the names are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from app.page_charts import model_charts
from tests.app.test_charts import ODD_NAMES, chart_rows


def _groups(names: list[str]) -> Any:
    frame = pd.DataFrame({"group": names, "effect": 1.0, "low": 0.5, "high": 2.0, "verdict": "pass", "rows": "9"})
    return model_charts.group_effects(frame, title="Ratio", limits=[0.8, 1.25], equal=1.0)


def _windows(names: list[str]) -> Any:
    frame = pd.DataFrame(
        {
            "name": names,
            "at": pd.Timestamp("2026-01-01"),
            "share": 0.5,
            "reference": 0.4,
            "rows": 9,
            "is_changed": False,
        }
    )
    return model_charts.importance_over_time(frame, names)


def _groups_over_time(names: list[str]) -> Any:
    moment = {"at": pd.Timestamp("2026-01-01"), "rows": 9, "verdict": "pass"}
    frame = pd.DataFrame({"group": names, "effect": 1.0, "low": 0.5, "high": 2.0, **moment})
    return model_charts.group_effects_over_time(frame, names, title="Ratio", limits=[0.8, 1.25], equal=1.0)


@pytest.mark.parametrize("draw", [_groups, _groups_over_time, _windows])
def test_any_name_can_be_drawn(draw: Any) -> None:
    values = {str(value) for row in chart_rows(draw(ODD_NAMES)) for value in row.values()}
    assert set(ODD_NAMES) <= values


@pytest.mark.parametrize("draw", [_groups, _groups_over_time, _windows])
def test_an_empty_frame_is_a_valid_chart(draw: Any) -> None:
    assert draw([]).to_dict()["$schema"].startswith("https://vega.github.io")
