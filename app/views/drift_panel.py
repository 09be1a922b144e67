"""The drift panel: drift by feature, drift over time, and the distribution of one feature with its statistics."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app import address, charts, formatting, monitoring_queries, page
from app.views import hourly_charts
from pipeline.monitoring.drift.statistic_labels import STATISTIC_EXPLANATIONS, statistic_label, statistic_text

__all__ = ["VERDICT_LABELS", "drift_ratio_frame", "show_drift"]

VERDICT_LABELS = {
    "stable": "stable",
    "watch": "watch",
    "drift": "drift",
    "not_enough_data": "not enough data",
    "not_evaluated": "not evaluated",
}


def show_drift(overview: monitoring_queries.DriftOverview, titles: dict[str, str], *, reference_label: str) -> None:
    """Show the drift of a window; `reference_label` names the other side of the comparison."""
    if overview.report["shortage"]:
        with st.container(border=True):
            st.markdown("**Feature drift**")
            st.caption(formatting.message_markdown(overview.report["summary"]))
            if any(point.ratio is not None for line in overview.lines for point in line.points):
                _show_drift_over_time(overview, titles)
        return
    left, right = st.columns(2)
    with left, st.container(border=True):
        _show_drift_ratios(overview.report, titles)
    with right, st.container(border=True):
        _show_drift_over_time(overview, titles)
    with st.container(border=True):
        _show_feature_distribution(overview, titles, reference_label)


def _feature_title(titles: dict[str, str], column: str) -> str:
    return formatting.shorten(titles.get(column, formatting.humanize(column)), 40)


def _threshold_ratio(value: float | None, threshold: float | None) -> float:
    return value / threshold if value is not None and threshold else 0.0


def drift_ratio_frame(drift: dict[str, Any], titles: dict[str, str]) -> pd.DataFrame:
    """Return drift as a multiple of its threshold by feature, for `charts.drift_ratios`."""
    rows = [
        {
            "name": _feature_title(titles, finding["column"]),
            "ratio": _threshold_ratio(finding["value"], finding["threshold"]),
            "verdict": VERDICT_LABELS[finding["verdict"]],
            "summary": formatting.shorten(finding["summary"], 200),
        }
        for finding in drift["findings"]
    ]
    return pd.DataFrame(rows, columns=["name", "ratio", "verdict", "summary"])


def _show_drift_ratios(drift: dict[str, Any], titles: dict[str, str]) -> None:
    st.markdown(
        "**Drift by feature**",
        help="Drift: the change exceeds its threshold (the line) and is statistically significant",
    )
    st.caption(formatting.message_markdown(formatting.shorten(drift["summary"], 400)))
    page.show_chart(
        charts.drift_ratios(drift_ratio_frame(drift, titles)), alt="Drift as a multiple of its threshold, by feature"
    )


def _show_drift_over_time(overview: monitoring_queries.DriftOverview, titles: dict[str, str]) -> None:
    st.markdown(
        "**Drift over time**",
        help="Each cell compares that period with training. Dot: drift. Gray: not enough rows.",
    )
    order = [finding["column"] for finding in overview.report["findings"]]
    points = [
        (line.column, point)
        for line in sorted(overview.lines, key=lambda line: order.index(line.column))
        for point in line.points
    ]
    if not points:
        st.caption("No rows in this period.")
        return
    frame = pd.DataFrame(
        {
            "name": [_feature_title(titles, column) for column, _ in points],
            "at": page.to_local_time([point.since for _, point in points]),
            "until": page.to_local_time([point.until for _, point in points]),
            "ratio": [point.ratio or 0.0 for _, point in points],
            "verdict": [VERDICT_LABELS[point.finding.verdict] for _, point in points],
            "n_rows": [point.n_rows for _, point in points],
            "summary": [formatting.shorten(point.finding.summary, 200) for _, point in points],
        }
    )
    page.show_chart(charts.drift_matrix(frame), alt="Drift as a multiple of its threshold, by feature and time")


def _show_feature_distribution(
    overview: monitoring_queries.DriftOverview, titles: dict[str, str], reference_label: str
) -> None:
    findings = {finding["column"]: finding for finding in overview.report["findings"]}
    if not findings:
        return
    name = address.choose(
        st.selectbox,
        list(findings),
        parameter="column",
        key="drift_column",
        default=next(iter(findings)),
        format_func=lambda name: f"{_feature_title(titles, name)}: {VERDICT_LABELS[findings[name]['verdict']]}",
        label=f"Distribution: {reference_label} vs. this period",
    )
    finding = findings[name]
    st.markdown(
        f"**{formatting.escape_markdown(_feature_title(titles, name))}**:"
        f" {formatting.escape_markdown(formatting.shorten(finding['summary'], 300))}"
    )
    left, right = st.columns([3, 2])
    sides = (reference_label, "this period")
    rows = [
        (formatting.shorten(label, 40), side, share)
        for label, *shares in finding["shares"]
        for side, share in zip(sides, shares, strict=True)
    ]
    with left:
        chart = charts.distribution_comparison(pd.DataFrame(rows, columns=["value", "side", "share"]), sides=sides)
        page.show_chart(chart, alt=f"Distribution of {_feature_title(titles, name)}: {reference_label} and this period")
        hourly_charts.show_missing_share(overview, name)
    with right:
        _show_statistics(finding["statistics"])


def _show_statistics(values: dict[str, float | None]) -> None:
    rows = [
        (statistic_label(key), statistic_text(key, value), STATISTIC_EXPLANATIONS.get(key, ""))
        for key, value in values.items()
        if value is not None
    ]
    page.show_table(pd.DataFrame(rows, columns=["Statistic", "Value", "Meaning"]))
