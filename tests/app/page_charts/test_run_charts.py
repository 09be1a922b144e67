"""Charts of runs and trials hold the rows of their frames, whatever the names are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from app.page_charts import run_charts
from tests.app.test_charts import ODD_NAMES, chart_rows

CHARTS_BY_NAME: dict[str, Any] = {
    "parallel": lambda names: run_charts.parallel_coordinates(
        pd.DataFrame({"run": names, "role": run_charts.OTHER_ROLE, "a": 1.0, "b": 2.0}), ["a", "b"]
    ),
    "trials": lambda names: run_charts.trial_scores(
        pd.DataFrame({"trial": range(len(names)), "value": 0.5, "name": names, "is_best": False}), title="Loss"
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


def lines_of(**columns: list[float | str | None]) -> list[tuple[str, str, float, str]]:
    """Return run, axis, height and text of each point of two runs."""
    frame = pd.DataFrame({"run": ["one", "two"], "role": [run_charts.BEST_ROLE, "two"], **columns})
    rows = chart_rows(run_charts.parallel_coordinates(frame, list(columns)))
    return [(row["run"], row["name"], row["height"], row["value"]) for row in rows if "run" in row]


def test_numbers_are_scaled_from_min_to_max() -> None:
    assert lines_of(loss=[0.2, 0.4]) == [("one", "loss", 0.0, "0.2"), ("two", "loss", 1.0, "0.4")]


def test_texts_have_a_place_each_in_the_order_of_their_numbers() -> None:
    assert lines_of(model=["tree", "linear"]) == [("one", "model", 1.0, "tree"), ("two", "model", 0.0, "linear")]
    assert lines_of(depth=["10", "2"]) == [("one", "depth", 1.0, "10"), ("two", "depth", 0.0, "2")]


def test_each_axis_has_its_values() -> None:
    frame = pd.DataFrame({"run": ["one", "two"], "role": "Best", "loss": [0.2, 0.4], "model": ["a", "b"]})
    rows = chart_rows(run_charts.parallel_coordinates(frame, ["loss", "model"]))
    assert sorted({row["label"] for row in rows if "label" in row}) == ["0.2", "0.3", "0.4", "a", "b"]


def test_the_legend_names_the_best_run_the_selected_ones_and_the_others() -> None:
    frame = pd.DataFrame({"run": ["1", "2", "3"], "role": ["Best", "mine", "Other runs"], "loss": [0.1, 0.2, 0.3]})
    spec = run_charts.parallel_coordinates(frame, ["loss"]).to_dict()
    domains = [
        layer["encoding"]["color"]["scale"]["domain"] for layer in spec["layer"] if "detail" in layer["encoding"]
    ]
    assert domains == [["Best", "mine", "Other runs"]] * 2


def test_a_constant_column_is_drawn_at_the_minimum() -> None:
    assert [height for _, _, height, _ in lines_of(loss=[0.3, 0.3])] == [0.0, 0.0]


def test_a_run_without_a_metric_has_no_point_for_it() -> None:
    points = [(run, name) for run, name, _, _ in lines_of(loss=[0.2, None], seed=[1, 2])]
    assert sorted(points) == [("one", "loss"), ("one", "seed"), ("two", "seed")]


def test_ten_curves_have_distinct_lines_and_whole_names() -> None:
    names = [f"{number}: hist_gradient_boosting with a long name" for number in range(10)]
    frame = pd.DataFrame({"across": 0.5, "up": 0.5, "run": names})
    encoding = run_charts.overlaid_curves(frame, x="x", y="y").to_dict()["layer"][0]["encoding"]
    colors, dashes = encoding["color"]["scale"]["range"], encoding["strokeDash"]["scale"]["range"]
    assert len({(color, tuple(dash)) for color, dash in zip(colors, dashes, strict=True)}) == 10
    assert encoding["color"]["legend"]["labelLimit"] == 0
