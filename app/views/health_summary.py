"""At a glance: how far the columns of the last day moved and how much worse the figures got, each with its limit."""

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
    """Show the last day of the version that serves: its columns against `monitoring.baseline`, its figures against its training."""
    found = monitoring_queries.health_summary(version.model, version.version, _WINDOW_HOURS)
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        titles = {one.name: one.label for one in queries.load_package(version.digest).schema.columns}
        _show_feature_drift(found.drift, titles)
    with right, st.container(border=True):
        _show_degradation(found.degradation)


def _show_feature_drift(report: dict[str, Any], titles: dict[str, str]) -> None:
    st.markdown("**How far the columns of the last 24 hours moved**", help="The page Monitoring says when, and how")
    if not report["n_rows"]:
        st.caption("No prediction in the last 24 hours.")
        return
    st.caption(formatting.message_markdown(formatting.shorten(report["summary"], 200)))
    ordered = drift_panel.drift_ratio_frame(report, titles).sort_values("ratio", ascending=False, kind="stable")
    page.show_chart(
        charts.drift_ratios(ordered.head(_MAX_FEATURES)), alt="Size of the change by column; the line is the limit"
    )


def _show_degradation(found: dict[str, Any]) -> None:
    st.markdown(
        "**How much worse its figures got**",
        help="From the outcomes of the last 24 hours, against the figures of the training; the line is the limit",
    )
    rows = [
        {
            "name": formatting.humanize(one["metric"]),
            "ratio": max(one["worsening"], 0.0) / one["threshold"],
            "verdict": _VERDICT_LABELS[one["verdict"]],
            "words": f"{formatting.format_number(one['value'])}, in training {formatting.format_number(one['baseline'])}",
        }
        for one in found["findings"]
        if one["verdict"] in _VERDICT_LABELS
    ]
    if not rows:
        st.caption(
            f"Too few outcomes are known yet ({found['n_outcomes']:,.0f}). Say what became true on the page History, or by `POST /feedback`."
        )
        return
    worse = [formatting.humanize(name) for name in found["degraded_metrics"]]
    st.caption(f"Worse beyond chance: {', '.join(worse)}" if worse else "None is worse than its limit beyond chance")
    page.show_chart(charts.drift_ratios(pd.DataFrame(rows)), alt="Worsening by figure; the line is the limit")
