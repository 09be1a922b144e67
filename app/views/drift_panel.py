"""The drift panel: drift by feature, drift over time, and the distribution of one feature with its statistics."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app import address, charts, formatting, monitoring_queries, page
from app.views import hourly_charts
from pipeline.text import percent

__all__ = ["VERDICT_LABELS", "drift_ratio_frame", "show_drift"]

VERDICT_LABELS = {
    "stable": "stable",
    "watch": "watch",
    "drift": "drift",
    "not_enough_data": "not enough data",
    "not_evaluated": "not evaluated",
}
_STATISTIC_DESCRIPTIONS = {
    "wasserstein": "Average shift of the values, in standard deviations of the reference",
    "rank_biserial": "How much the values rank above those of the reference: -1 to 1, 0 for equal",
    "rare_values": "Largest rise of the share of one value that is rare in the reference",
    "kolmogorov_smirnov": "Largest gap between the cumulative distributions: 0 for equal, 1 for no overlap",
    "jensen_shannon": "Distance of the two distributions: 0 for equal, 1 for no overlap",
    "psi": "Population stability index; above 0.2 is usually called large",
    "total_variation": "Share of the rows that would have to change their bin",
    "chi_squared": "Test statistic; grows with the number of rows and with the difference",
    "missing_share_reference": "Share of missing values in the reference",
    "missing_share_window": "Share of missing values in this period",
    "unseen_share": "Share of rows with a value that the reference lacks",
}
_SHARE_STATISTICS = (
    "missing_share_reference",
    "missing_share_window",
    "unseen_share",
    "total_variation",
    "rare_values",
)


def show_drift(overview: monitoring_queries.DriftOverview, titles: dict[str, str], *, reference_label: str) -> None:
    """Show the drift of a window; `reference_label` names the other side of the comparison."""
    if overview.report["shortage"]:
        with st.container(border=True):
            st.markdown("**Feature drift**")
            st.caption(formatting.message_markdown(overview.report["summary"]))
            if any(interval.value is not None for interval in overview.intervals):
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
    intervals = sorted(overview.intervals, key=lambda interval: order.index(interval.column))
    if not intervals:
        st.caption("No rows in this period.")
        return
    frame = pd.DataFrame(
        {
            "name": [_feature_title(titles, interval.column) for interval in intervals],
            "at": page.to_local_time([interval.since for interval in intervals]),
            "until": page.to_local_time([interval.until for interval in intervals]),
            "ratio": [_threshold_ratio(interval.value, interval.threshold) for interval in intervals],
            "verdict": [VERDICT_LABELS[interval.verdict] for interval in intervals],
            "n_rows": [interval.n_rows for interval in intervals],
            "summary": [formatting.shorten(interval.summary, 200) for interval in intervals],
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
    statistics = [
        (
            formatting.humanize(key),
            percent(value) if key in _SHARE_STATISTICS else formatting.format_number(value),
            _STATISTIC_DESCRIPTIONS.get(key, ""),
        )
        for key, value in values.items()
        if value is not None
    ]
    page.show_table(pd.DataFrame(statistics, columns=["Statistic", "Value", "Meaning"]))
