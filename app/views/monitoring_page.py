"""The live rows: how far they moved from training, how well the model does, and how it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import charts, formatting, monitoring_queries, page, queries
from app.views import drift_panel, hourly_charts, incident_panel
from pipeline.text import percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.state import ModelVersion

__all__ = ["render"]

_WINDOW_LABELS = {1: "1 hour", 24: "1 day", 168: "7 days", 720: "30 days"}
_INTERVAL_HOURS = {1: 1, 24: 1, 168: 6, 720: 24}
_BASELINE_LABELS = {"training": "Training", "previous_window": "The window before"}


def render() -> None:
    """Show the page."""
    page.render_page(
        "Monitoring", "Whether live rows still look like those of training, and how well the model does.", _render_body
    )


def _render_body() -> None:
    model = queries.config().name
    if "Production" not in queries.current_deployment(model).versions:
        page.empty_state(
            "Nothing serves yet",
            "run `make run`, or promote a version on the page Models; then there is something to watch",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        hours = st.segmented_control(
            "Window",
            list(_WINDOW_LABELS),
            default=24,
            format_func=_WINDOW_LABELS.__getitem__,
            key="window",
            bind="query-params",
        )
        baseline = st.segmented_control(
            "Compare with",
            list(_BASELINE_LABELS),
            default="training",
            format_func=_BASELINE_LABELS.__getitem__,
            key="baseline",
            bind="query-params",
            help="Training: the rows that the model learned from. The window before: as many hours just before.",
        )
        version = _select_version(model)
        is_live = st.toggle("Live", value=False, key="monitoring_live", help="Looks again every 15 seconds")
    is_to_before = baseline == "previous_window"
    _rerun_every(
        15 if is_live else None, lambda: _show_window(version, hours or 24, against_previous_window=is_to_before)
    )


def _select_version(model: str) -> ModelVersion:
    versions = {one.version: one for one in queries.versions(model)}
    serving = queries.current_deployment(model).versions["Production"]
    numbers = sorted(versions, reverse=True)
    chosen = st.selectbox(
        "Version",
        numbers,
        index=numbers.index(serving),
        format_func=lambda one: f"{one}, {versions[one].stage}",
        key="monitoring_version",
        width=180,
        help="Everything below is of what this version answered; alerts are of the model",
    )
    return versions[chosen if chosen is not None else serving]


def _rerun_every(interval_s: int | None, show: Callable[[], None]) -> None:
    @st.fragment(run_every=interval_s)
    def look() -> None:
        page.error_boundary(show)

    look()


def _show_window(version: ModelVersion, hours: int, *, against_previous_window: bool) -> None:
    summary = monitoring_queries.window_summary(
        version.model,
        version.version,
        hours,
        interval_hours=_INTERVAL_HOURS[hours],
        against_previous_window=against_previous_window,
    )
    traffic, performance = summary.traffic, summary.performance
    _show_metric_cards(traffic, summary.drift.report, performance)
    with st.container(border=True):
        page.error_boundary(lambda: incident_panel.show_incidents(version.model))
    if not traffic["total_predictions"]:
        page.empty_state(
            "No prediction in this window", "choose a longer one, or make a prediction on the page Predict"
        )
        return
    titles = {one.name: one.label for one in queries.load_package(version.digest).schema.columns}
    drift_panel.show_drift(
        summary.drift, titles, reference_label="the window before" if against_previous_window else "training"
    )
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        page.error_boundary(lambda: _show_activity_over_time(summary.activity, hours))
    with right, st.container(border=True):
        _show_predictions(traffic, version)
    with st.container(border=True):
        _show_performance(performance, summary.degradation)


def _show_activity_over_time(activity: monitoring_queries.HourlyActivity, hours: int) -> None:
    st.markdown("**What it answered over time, how sure it was, and how often it was wrong**")
    hourly_charts.show_predictions(activity, hours)
    hourly_charts.show_confidence(activity)
    hourly_charts.show_error_rate(activity)


def _show_metric_cards(traffic: dict[str, Any], drift_report: dict[str, Any], performance: dict[str, Any]) -> None:
    cards = st.columns(5)
    cards[0].metric(
        "Drift",
        drift_panel.VERDICT_LABELS[drift_report["verdict"]],
        border=True,
        help=formatting.escape_markdown(formatting.shorten(drift_report["summary"], 300)),
    )
    cards[1].metric("Predictions", f"{traffic['total_predictions']:,}", border=True)
    coverage = performance["coverage"]
    cards[2].metric(
        "Outcomes",
        f"{traffic['n_outcomes']:,}",
        border=True,
        help=f"Known for {percent(coverage, missing='an unknown share')} of the predictions",
    )
    mean = traffic["average_confidence"]
    cards[3].metric("Confidence", percent(mean, missing="-"), border=True, help="Mean of the window")
    latency = traffic["latency_ms"].get("95")
    cards[4].metric(
        "Latency",
        "-" if latency is None else f"{latency:.1f} ms",
        border=True,
        help=_latency_help(traffic["latency_ms"]),
    )


def _latency_help(found: dict[str, float]) -> str:
    told = [f"{q} of 100 answers took at most {ms:.2f} ms" for q, ms in found.items()]
    return ". ".join(told) or "No answer was timed in this window"


def _show_predictions(traffic: dict[str, Any], version: ModelVersion) -> None:
    st.markdown("**What it answered**")
    total = traffic["total_predictions"]
    rows = [(formatting.shorten(name), n / total) for name, n in traffic["predictions_by_class"].items()]
    page.show_chart(
        charts.share_bars(pd.DataFrame(rows, columns=["name", "share"]), title="Share of the answers"),
        alt="Answers by class",
    )
    told = ", ".join(
        f"{formatting.escape_markdown(name)}: {n:,}" for name, n in traffic["predictions_by_source"].items()
    )
    st.caption(f"Version {version.version}, as {told}")


def _show_performance(performance: dict[str, Any], degradation: dict[str, Any]) -> None:
    st.markdown(
        "**How well it does**",
        help="From outcomes where they are known; expected from its own probabilities without them",
    )
    if degradation["degradation_detected"]:
        worse = ", ".join(formatting.humanize(name) for name in degradation["degraded_metrics"])
        st.error(
            f"Worse than in training, beyond chance: {formatting.escape_markdown(worse)}",
            icon=":material/trending_down:",
        )
    if not performance["n_outcomes"]:
        st.caption(
            "No outcome is known yet: what follows is what the model expects of itself. Say what became true on the page History."
        )
    rows = [
        {
            "Figure": formatting.humanize(name),
            "From outcomes": formatting.format_number(performance.get(name)),
            "Interval": _interval_text(performance["intervals"].get(name)),
            "Expected": formatting.format_number(one["value"]),
        }
        for name, one in performance["estimated"].items()
    ]
    page.show_table(pd.DataFrame(rows))


def _interval_text(given: list[float | None] | None) -> str:
    if given is None or given[0] is None:
        return "-"
    return f"{formatting.format_number(given[0])} to {formatting.format_number(given[1])}"
