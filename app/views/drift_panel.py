"""How far columns moved: at a glance, over time, and one column then and now with its statistics in words."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app import charts, formatting, monitoring_queries, page
from app.views import hourly_charts
from pipeline.text import percent

__all__ = ["VERDICT_LABELS", "drift_ratio_frame", "show_drift"]

VERDICT_LABELS = {
    "stable": "stable",
    "watch": "watch",
    "drift": "drift",
    "not_enough_data": "few rows",
    "not_evaluated": "not evaluated",
}
_STATISTIC_DESCRIPTIONS = {
    "wasserstein": "How far values moved on average, in standard deviations of training",
    "kolmogorov_smirnov": "Largest gap between the two cumulative shares: 0 for none, 1 for no overlap",
    "jensen_shannon": "Distance of the two distributions: 0 for equal, 1 for no overlap",
    "psi": "Population stability index; by custom above 0.2 is a lot",
    "total_variation": "Share of the rows that would have to change their bin",
    "chi_squared": "Grows with the rows and with the difference; by itself it says little",
    "missing_share_reference": "Share of missing values then",
    "missing_share_window": "Share of missing values now",
    "unseen_share": "Share of rows with a value that was never there before",
}
_SHARE_STATISTICS = ("missing_share_reference", "missing_share_window", "unseen_share", "total_variation")


def show_drift(found: monitoring_queries.DriftOverview, titles: dict[str, str], *, reference_label: str) -> None:
    """Show what was found; `before` says with what the window is compared."""
    left, right = st.columns(2)
    with left, st.container(border=True):
        _show_drift_ratios(found.report, titles)
    with right, st.container(border=True):
        _show_drift_over_time(found, titles)
    with st.container(border=True):
        _show_feature_distribution(found, titles, reference_label)


def _feature_title(titles: dict[str, str], column: str) -> str:
    return formatting.shorten(titles.get(column, formatting.humanize(column)), 40)


def _threshold_ratio(value: float | None, threshold: float | None) -> float:
    return value / threshold if value is not None and threshold else 0.0


def drift_ratio_frame(drift: dict[str, Any], titles: dict[str, str]) -> pd.DataFrame:
    """Return how far each column moved, as `charts.effects` draws it."""
    rows = [
        {
            "name": _feature_title(titles, one["column"]),
            "ratio": _threshold_ratio(one["value"], one["threshold"]),
            "verdict": VERDICT_LABELS[one["verdict"]],
            "words": formatting.shorten(one["summary"], 200),
        }
        for one in drift["findings"]
    ]
    return pd.DataFrame(rows, columns=["name", "ratio", "verdict", "words"])


def _show_drift_ratios(drift: dict[str, Any], titles: dict[str, str]) -> None:
    st.markdown(
        "**How far each column moved**",
        help="A verdict needs a change above its limit and beyond chance; the line is the limit",
    )
    st.caption(formatting.message_markdown(formatting.shorten(drift["summary"], 400)))
    page.show_chart(charts.drift_ratios(drift_ratio_frame(drift, titles)), alt="Size of the change by column")


def _show_drift_over_time(given: monitoring_queries.DriftOverview, titles: dict[str, str]) -> None:
    st.markdown(
        "**When it moved**",
        help="Each square compares its hours with training; a dot marks drift, grey is too few rows",
    )
    order = [one["column"] for one in given.report["findings"]]
    slots = sorted(given.intervals, key=lambda one: order.index(one.column))
    if not slots:
        st.caption("No row in this span.")
        return
    found = pd.DataFrame(
        {
            "name": [_feature_title(titles, one.column) for one in slots],
            "at": page.to_local_time([one.since for one in slots]),
            "until": page.to_local_time([one.until for one in slots]),
            "ratio": [_threshold_ratio(one.value, one.threshold) for one in slots],
            "verdict": [VERDICT_LABELS[one.verdict] for one in slots],
            "n_rows": [one.n_rows for one in slots],
            "words": [formatting.shorten(one.summary, 200) for one in slots],
        }
    )
    page.show_chart(charts.drift_matrix(found), alt="Size of the change by column and time")


def _show_feature_distribution(
    found: monitoring_queries.DriftOverview, titles: dict[str, str], reference_label: str
) -> None:
    by_name = {one["column"]: one for one in found.report["findings"]}
    if not by_name:
        return
    name = st.selectbox(
        "A column then and now",
        list(by_name),
        format_func=lambda one: f"{_feature_title(titles, one)}: {VERDICT_LABELS[by_name[one]['verdict']]}",
        key="drift_column",
        bind="query-params",
    )
    one = by_name[name]
    st.markdown(
        f"**{formatting.escape_markdown(_feature_title(titles, name))}**: {formatting.escape_markdown(formatting.shorten(one['summary'], 300))}"
    )
    left, right = st.columns([3, 2])
    sides = (reference_label, "this window")
    rows = [
        (formatting.shorten(label, 40), side, share)
        for label, *both in one["shares"]
        for side, share in zip(sides, both, strict=True)
    ]
    with left:
        drawn = charts.distribution_comparison(pd.DataFrame(rows, columns=["value", "side", "share"]), sides=sides)
        page.show_chart(drawn, alt=f"Distribution of {_feature_title(titles, name)} then and now")
        hourly_charts.show_missing_share(found, name)
    with right:
        figures = [
            (
                formatting.humanize(key),
                percent(value) if key in _SHARE_STATISTICS else formatting.format_number(value),
                _STATISTIC_DESCRIPTIONS.get(key, ""),
            )
            for key, value in one["statistics"].items()
            if value is not None
        ]
        page.show_table(pd.DataFrame(figures, columns=["Statistic", "Value", "What it says"]), row_height=56)
