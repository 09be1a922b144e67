"""Each chart holds the rows of its frame, whatever the names are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from app import charts

ODD_NAMES = ["<b>bold</b>", "a.b[0]", 'it\'s "quoted"', "😀", "שלום", "", "x" * 500]
SINCE, UNTIL = pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-02")


def interval_frame(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"name": names, "value": 0.5, "low": 0.4, "high": 0.6, "share": 0.5, "contribution": -0.1})


CHARTS_BY_NAME: dict[str, Any] = {
    "probabilities": lambda names: charts.class_probabilities(
        pd.DataFrame({"label": names, "probability": 0.5, "is_predicted": False})
    ),
    "distribution": lambda names: charts.value_counts(pd.DataFrame({"value": names, "rows": 3})),
    "shares": lambda names: charts.share_bars(interval_frame(names), title="Share"),
    "contributions": lambda names: charts.feature_contributions(interval_frame(names).assign(value="1")),
    "drift_ratios": lambda names: charts.drift_ratios(
        pd.DataFrame({"name": names, "ratio": 0.5, "verdict": "stable", "summary": ""})
    ),
    "intervals": lambda names: charts.interval_plot(interval_frame(names), title="Loss", reference=0.5),
    "confusion": lambda names: charts.confusion_matrix(pd.DataFrame({"actual": names, "predicted": names, "rows": 0})),
    "by_hour": lambda names: charts.hourly_counts(
        pd.DataFrame({"at": SINCE, "label": names, "rows": 1}), since=SINCE, until=UNTIL
    ),
    "distribution_comparison": lambda names: charts.distribution_comparison(
        pd.DataFrame({"value": names, "side": "training", "share": 0.5}), sides=("training", "period")
    ),
}


CHARTS_WITHOUT_NAMES = {
    "curve": lambda: charts.line_curve(pd.DataFrame({"recall": [0.5], "precision": [0.5]}), x="recall", y="precision"),
}


def chart_rows(chart: Any) -> list[dict[str, Any]]:
    """Return all rows that a chart holds."""
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


@pytest.mark.parametrize("chart", CHARTS_BY_NAME)
def test_any_name_can_be_drawn(chart: str) -> None:
    values = {str(value) for row in chart_rows(CHARTS_BY_NAME[chart](ODD_NAMES)) for value in row.values()}
    assert set(ODD_NAMES) <= values


@pytest.mark.parametrize("chart", CHARTS_WITHOUT_NAMES)
def test_a_share_is_drawn_unchanged(chart: str) -> None:
    assert 0.5 in chart_rows(CHARTS_WITHOUT_NAMES[chart]())[0].values()


@pytest.mark.parametrize("chart", CHARTS_BY_NAME)
def test_an_empty_frame_is_a_valid_chart(chart: str) -> None:
    assert CHARTS_BY_NAME[chart]([]).to_dict()["$schema"].startswith("https://vega.github.io")


@pytest.mark.parametrize("name", ["shares", "contributions", "drift_ratios", "intervals"])
def test_500_names_draw_the_first_40(name: str) -> None:
    chart = CHARTS_BY_NAME[name]([f"column {at}" for at in range(500)])
    names = {row["name"] for row in chart_rows(chart) if "name" in row}
    assert names == {f"column {at}" for at in range(40)}


def test_a_bar_of_drift_ends_at_the_clip_and_its_text_has_the_value() -> None:
    frame = pd.DataFrame(
        {"name": ["a", "b"], "column": ["a", "b"], "ratio": [26.08, 0.5], "verdict": "drift", "summary": ""}
    )
    rows = [row for row in chart_rows(charts.drift_ratios(frame)) if "clipped" in row]
    assert [(row["clipped"], row["text"]) for row in rows] == [(charts.MAX_RATIO, "26 x"), (0.5, "0.5 x")]


def test_the_calibration_curve_holds_its_points_and_the_diagonal() -> None:
    frame = pd.DataFrame({"predicted": [0.1], "observed": [0.2], "low": [0.0], "high": [0.4], "rows": [7]})
    assert chart_rows(charts.calibration_curve(frame)) == [{"at": 0}, {"at": 1}, frame.iloc[0].to_dict()]


def test_a_curve_takes_its_columns_by_name() -> None:
    frame = pd.DataFrame({"recall": [0.0, 1.0], "precision": [1.0, 0.5], "threshold": [0.9, 0.1]})
    assert chart_rows(charts.line_curve(frame, x="recall", y="precision")) == [
        {"across": 0.0, "up": 1.0},
        {"across": 1.0, "up": 0.5},
    ]


def test_the_confusion_matrix_holds_the_share_of_the_actual_class() -> None:
    frame = pd.DataFrame({"actual": ["a", "a"], "predicted": ["a", "b"], "rows": [3, 1]})
    assert [row["share"] for row in chart_rows(charts.confusion_matrix(frame))] == [0.75, 0.25]
