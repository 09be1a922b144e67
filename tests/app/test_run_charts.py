"""Charts of runs and trials hold the rows of their frames, whatever the names are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from app import run_charts
from tests.app.test_charts import ODD_NAMES, chart_rows

CHARTS_BY_NAME: dict[str, Any] = {
    "parallel": lambda names: run_charts.parallel_coordinates(
        pd.DataFrame({"run": names, "a": 1.0, "b": 2.0}), ["a", "b"]
    ),
    "trials": lambda names: run_charts.trial_scores(
        pd.DataFrame({"trial": range(len(names)), "value": 0.5, "name": names}), title="Loss"
    ),
    "two_curves": lambda names: run_charts.overlaid_curves(
        pd.DataFrame({"across": 0.5, "up": 0.5, "run": names}), x="Recall", y="Precision"
    ),
}


@pytest.mark.parametrize("name", CHARTS_BY_NAME)
def test_any_name_can_be_drawn(name: str) -> None:
    values = {str(value) for row in chart_rows(CHARTS_BY_NAME[name](ODD_NAMES)) for value in row.values()}
    assert set(ODD_NAMES) <= values


@pytest.mark.parametrize("name", CHARTS_BY_NAME)
def test_an_empty_frame_is_a_valid_chart(name: str) -> None:
    assert CHARTS_BY_NAME[name]([]).to_dict()["$schema"].startswith("https://vega.github.io")


def test_parallel_coordinates_are_scaled_from_min_to_max() -> None:
    frame = pd.DataFrame({"run": ["one", "two"], "loss": [0.2, 0.4]})
    assert [
        (row["run"], row["height"], row["value"])
        for row in chart_rows(run_charts.parallel_coordinates(frame, ["loss"]))
    ] == [
        ("one", 0.0, 0.2),
        ("two", 1.0, 0.4),
    ]


def test_both_runs_are_in_the_legend_in_their_order_and_the_second_is_dashed() -> None:
    frame = pd.DataFrame({"across": 0.5, "up": 0.5, "run": ["Version 2", "Version 1"]})
    spec = run_charts.overlaid_curves(frame, x="Recall", y="Precision", order=("Version 2", "Version 1")).to_dict()
    assert spec["encoding"]["color"]["scale"]["domain"] == ["Version 2", "Version 1"]
    assert spec["encoding"]["strokeDash"]["scale"]["range"] == [[1, 0], [6, 3]]


def test_a_constant_column_is_drawn_at_the_minimum() -> None:
    frame = pd.DataFrame({"run": ["one", "two"], "loss": [0.3, 0.3]})
    rows = chart_rows(run_charts.parallel_coordinates(frame, ["loss"]))
    assert [(row["height"], row["value"]) for row in rows] == [(0.0, 0.3), (0.0, 0.3)]


def test_a_run_without_a_metric_has_no_point_for_it() -> None:
    frame = pd.DataFrame({"run": ["one", "two"], "loss": [0.2, None], "seed": [1, 2]})
    rows = chart_rows(run_charts.parallel_coordinates(frame, ["loss", "seed"]))
    assert sorted((row["run"], row["name"]) for row in rows) == [("one", "loss"), ("one", "seed"), ("two", "seed")]
