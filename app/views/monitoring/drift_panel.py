"""The drift panel: drift by feature and over time; a click selects the feature and the moment of the distribution."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.text import day_and_minute

from ... import charts, formatting, page
from ...page_charts import window_charts
from ...time_range import address_moment
from . import time_frames

if TYPE_CHECKING:
    from pipeline.schema import FeatureLabels

    from ...page_charts.window_charts import TimeAxis
    from ...page_queries.window_queries import DriftOverview

__all__ = [
    "AT_KEY",
    "COLUMN_KEY",
    "VERDICT_LABELS",
    "describe_start",
    "drift_ratio_frame",
    "ordered_findings",
    "show_drift",
]

COLUMN_KEY, AT_KEY = "drift_column", "drift_at"
VERDICT_LABELS = {
    "stable": "stable",
    "watch": "watch",
    "drift": "drift",
    "not_enough_data": "not enough data",
    "not_evaluated": "not evaluated",
}
_BARS_KEY, _LINES_KEY = "drift_bars", "drift_lines"
_MAX_COLORED = 6
_LINE_HEIGHT_PX = 30


def show_drift(overview: DriftOverview, labels: FeatureLabels, axis: TimeAxis) -> None:
    """Show drift by feature and over time, or what is lacking for a verdict."""
    if overview.report["shortage"]:
        with st.container(border=True):
            st.markdown("**Feature drift**")
            st.caption(formatting.message_markdown(overview.report["summary"]))
        return
    left, right = st.columns([2, 3])
    with left, st.container(border=True, height="stretch"):
        st.markdown(
            "**Drift by feature**",
            help="Drift: the change exceeds its limit (the line) and is statistically significant. By drift times"
            " importance; outputs of the model are last. Select a bar to see its distribution.",
        )
        page.show_chart(
            partial(charts.drift_ratios, drift_ratio_frame(overview.report, labels)),
            alt="Drift as a multiple of its limit, by feature",
            key=f"{_BARS_KEY}_{axis.id}",
            is_selectable=True,
            on_select=lambda: _select_picked(f"{_BARS_KEY}_{axis.id}"),
        )
    with right, st.container(border=True, height="stretch"):
        _show_drift_over_time(overview, labels, axis)


def ordered_findings(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the findings by impact: the most severe first, and outputs of the model after all features."""
    return sorted(report["findings"], key=lambda finding: finding["kind"] == "prediction")


def drift_ratio_frame(report: dict[str, Any], labels: FeatureLabels) -> pd.DataFrame:
    """Return drift as a multiple of its limit by feature, for `charts.drift_ratios`; none for an unknown value."""
    rows = [
        {
            "name": labels.label(finding["column"]),
            "column": finding["column"],
            "ratio": finding["value"] / finding["threshold"],
            "verdict": VERDICT_LABELS[finding["verdict"]],
            "summary": formatting.shorten(finding["summary"], 200),
        }
        for finding in ordered_findings(report)
        if finding["value"] is not None and finding["threshold"]
    ]
    return pd.DataFrame(rows, columns=["name", "column", "ratio", "verdict", "summary"])


def describe_start(overview: DriftOverview, labels: FeatureLabels) -> str:
    """Return since when each drifting feature drifts without a break, in the time of the user."""
    zone = page.user_time_zone()
    lines = {line.column: line for line in overview.lines}
    parts = []
    for finding in ordered_findings(overview.report):
        line = lines.get(finding["column"])
        if finding["kind"] != "feature" or line is None or line.beyond_since is None:
            continue
        since = day_and_minute(line.beyond_since, zone)
        parts.append(f"{labels.label(line.column)} {'before' if line.is_beyond_throughout else 'since'} {since}")
    return "; ".join(parts)


def _show_drift_over_time(overview: DriftOverview, labels: FeatureLabels, axis: TimeAxis) -> None:
    st.markdown(
        "**Drift over time**",
        help="Each point compares its rows with the baseline; periods are merged until they have enough rows."
        " Select a point to see its distribution, or drag to zoom.",
    )
    frame = _drift_frame(overview, labels)
    if frame.empty:
        st.caption("No rows in this period.")
        return
    beyond = list(dict.fromkeys(frame.loc[frame["verdict"] == "drift", "name"]))
    ordered = sorted(beyond, key=lambda name: -frame.loc[frame["name"] == name, "ratio"].iloc[-1])
    start = describe_start(overview, labels)
    st.markdown(f"Drift: {formatting.message_markdown(start)}." if start else "No feature drifts in the newest period.")
    time_frames.show_zoomable(
        partial(
            window_charts.drift_history,
            frame,
            axis,
            colored=ordered[:_MAX_COLORED],
            height=max(_LINE_HEIGHT_PX * len(overview.lines) + 20, 260),
        ),
        alt="Drift as a multiple of its limit over time, by feature",
        key=f"{_LINES_KEY}_{axis.id}",
        on_select=lambda: _select_picked(f"{_LINES_KEY}_{axis.id}"),
    )


def _drift_frame(overview: DriftOverview, labels: FeatureLabels) -> pd.DataFrame:
    points = [(line.column, point) for line in overview.lines for point in line.points if point.ratio is not None]
    begin = page.to_local_time([point.since for _, point in points])
    end = page.to_local_time([point.until for _, point in points])
    return pd.DataFrame(
        {
            "name": [labels.label(column) for column, _ in points],
            "column": [column for column, _ in points],
            "moment": [address_moment(point.since) for _, point in points],
            "begin": begin,
            "end": end,
            "at": begin + (end - begin) / 2,
            "ratio": [point.ratio for _, point in points],
            "verdict": [VERDICT_LABELS[point.finding.verdict] for _, point in points],
            "n_rows": [point.n_rows for _, point in points],
        }
    )


def _select_picked(key: str) -> None:
    """Select the feature, and the moment of a point, that was clicked in a chart."""
    picked = time_frames.picked_point(st.session_state.get(key))
    if "column" in picked:
        st.session_state[COLUMN_KEY] = st.query_params["column"] = picked["column"]
        st.session_state[AT_KEY] = st.query_params["at"] = picked.get("moment", "all")
