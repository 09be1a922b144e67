"""The health summary of the overview: feature drift and performance of the last 24 hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import charts, formatting, monitoring_queries, page, queries
from app.views import drift_panel

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

__all__ = ["show_health_summary"]

_WINDOW_HOURS = 24
_MAX_FEATURES = 8
_VERDICT_LABELS = {"ok": "ok", "watch": "watch", "degraded": "degraded"}


def show_health_summary(version: ModelVersion) -> None:
    """Show drift against `monitoring.baseline` and performance against training in the last 24 hours."""
    summary = monitoring_queries.health_summary(version.model, version.version, _WINDOW_HOURS)
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        titles = {column.name: column.label for column in queries.load_package(version.digest).schema.columns}
        _show_feature_drift(summary.drift, titles)
    with right, st.container(border=True):
        _show_degradation(summary.degradation)


def _show_feature_drift(report: dict[str, Any], titles: dict[str, str]) -> None:
    st.markdown("**Feature drift, last 24 hours**", help="Details are on the page Monitoring")
    if not report["n_rows"]:
        st.caption("No predictions in the last 24 hours.")
        return
    st.caption(formatting.message_markdown(formatting.shorten(report["summary"], 200)))
    ordered = drift_panel.drift_ratio_frame(report, titles).sort_values("ratio", ascending=False, kind="stable")
    page.show_chart(
        charts.drift_ratios(ordered.head(_MAX_FEATURES)),
        alt="Drift as a multiple of its threshold, by feature; the line is the threshold",
    )


def _show_degradation(report: dict[str, Any]) -> None:
    st.markdown(
        "**Performance against training, last 24 hours**",
        help="Measured from outcomes; the line is the threshold",
    )
    rows = [
        {
            "name": formatting.humanize(finding["metric"]),
            "ratio": max(finding["worsening"], 0.0) / finding["threshold"],
            "verdict": _VERDICT_LABELS[finding["verdict"]],
            "summary": (
                f"{formatting.format_number(finding['value'])},"
                f" in training {formatting.format_number(finding['baseline'])}"
            ),
        }
        for finding in report["findings"]
        if finding["verdict"] in _VERDICT_LABELS
    ]
    if not rows:
        st.caption(
            f"Not enough outcomes yet ({report['n_outcomes']:,.0f})."
            " Record outcomes on the page History or with `POST /feedback`."
        )
        return
    worse = [formatting.humanize(name) for name in report["degraded_metrics"]]
    st.caption(
        f"Significantly worse: {', '.join(worse)}" if worse else "No metric is significantly worse than its threshold"
    )
    page.show_chart(charts.drift_ratios(pd.DataFrame(rows)), alt="Worsening as a multiple of its threshold, by metric")
