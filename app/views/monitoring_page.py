"""The monitoring page: data drift, model performance and traffic in production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import address, charts, formatting, monitoring_queries, page, queries
from app.views import drift_panel, health_summary, hourly_charts, incident_panel
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

__all__ = ["render"]

_WINDOW_LABELS = {"1h": "1 hour", "1d": "1 day", "7d": "7 days", "30d": "30 days"}
_WINDOW_HOURS = {"1h": 1, "1d": 24, "7d": 168, "30d": 720}
_BASELINE_LABELS = {"training": "Training", "previous_window": "Previous period"}


def render() -> None:
    """Show the page."""
    page.render_page("Monitoring", "Data drift and model performance in production.", _render_body)


def _render_body() -> None:
    model = queries.config().name
    if "Production" not in queries.current_deployment(model).versions:
        page.empty_state(
            "No version is in Production yet",
            "run `make run`, or promote a version on the page Models",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        window = address.choose(
            st.segmented_control,
            list(_WINDOW_LABELS),
            parameter="window",
            key="window",
            default="1d",
            format_func=_WINDOW_LABELS.__getitem__,
            label="Window",
        )
        baseline = address.choose(
            st.segmented_control,
            list(_BASELINE_LABELS),
            parameter="baseline",
            key="baseline",
            default="training",
            format_func=_BASELINE_LABELS.__getitem__,
            label="Compare with",
            help="Training: the training data. Previous period: the same number of hours just before.",
        )
        version = _select_version(model)
        is_live = st.toggle(
            "Live", value=False, key="monitoring_live", help="Refreshes every 15 seconds", bind="query-params"
        )
    is_previous_window = baseline == "previous_window"
    hours = _WINDOW_HOURS[window]
    page.refresh_every(
        15 if is_live else None, lambda: _show_window(version, hours, against_previous_window=is_previous_window)
    )


def _select_version(model: str) -> ModelVersion:
    versions = {version.version: version for version in queries.versions(model)}
    production = queries.current_deployment(model).versions["Production"]
    numbers = sorted(versions, reverse=True)
    selected = address.choose(
        st.selectbox,
        numbers,
        parameter="version",
        key="monitoring_version",
        default=production,
        format_func=lambda number: f"{number}, {versions[number].stage}",
        label="Version",
        width=180,
        help="Everything below covers predictions of this version; alerts cover the model",
    )
    return versions[selected]


def _show_window(version: ModelVersion, hours: int, *, against_previous_window: bool) -> None:
    summary = monitoring_queries.window_summary(
        version.model,
        version.version,
        hours,
        against_previous_window=against_previous_window,
    )
    traffic, performance = summary.traffic, summary.performance
    _show_metric_cards(traffic, summary.drift.report, performance)
    with st.container(border=True):
        page.error_boundary(lambda: incident_panel.show_incidents(version.model))
    if not traffic["total_predictions"]:
        counts = monitoring_queries.predictions_by_version(version.model, hours)
        page.empty_state(
            health_summary.describe_other_traffic(counts, version.version, f"the last {pluralize(hours, 'hour')}"),
            "choose a longer window or another version, or make a prediction on the page Predict",
        )
        return
    titles = {column.name: column.label for column in queries.load_package(version.digest).schema.columns}
    drift_panel.show_drift(
        summary.drift, titles, reference_label="previous period" if against_previous_window else "training"
    )
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        page.error_boundary(lambda: _show_activity_over_time(summary.activity, hours))
    with right, st.container(border=True):
        _show_predictions(traffic, version)
    with st.container(border=True):
        _show_performance(performance, summary.degradation, version)


def _show_activity_over_time(activity: monitoring_queries.HourlyActivity, hours: int) -> None:
    st.markdown("**Predictions, confidence and error rate over time**")
    hourly_charts.show_predictions(activity, hours)
    hourly_charts.show_confidence(activity)
    hourly_charts.show_error_rate(activity)


def _show_metric_cards(traffic: dict[str, Any], drift_report: dict[str, Any], performance: dict[str, Any]) -> None:
    cards = st.columns(5)
    cards[0].metric(
        "Feature drift",
        _drift_card_text(drift_report),
        border=True,
        help=formatting.escape_markdown(formatting.shorten(drift_report["summary"], 300)),
    )
    cards[1].metric("Predictions", f"{traffic['total_predictions']:,}", border=True)
    coverage = performance["coverage"]
    cards[2].metric(
        "Outcomes",
        f"{traffic['n_outcomes']:,}",
        border=True,
        help=f"Coverage: {percent(coverage, missing='-')} of the predictions have an outcome",
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


def _drift_card_text(report: dict[str, Any]) -> str:
    """Return the count of drifting features, or the verdict if none drifts; `unknown` for too few rows."""
    if report["shortage"]:
        return "unknown"
    verdicts = [finding["verdict"] for finding in report["findings"] if finding["kind"] == "feature"]
    n_drifting = verdicts.count("drift")
    return f"{n_drifting} of {len(verdicts)}" if n_drifting else drift_panel.VERDICT_LABELS[report["verdict"]]


def _latency_help(percentiles: dict[str, float]) -> str:
    lines = [f"{percentile} % of predictions took at most {ms:.2f} ms" for percentile, ms in percentiles.items()]
    return ". ".join(lines) or "No prediction was timed in this period"


def _show_predictions(traffic: dict[str, Any], version: ModelVersion) -> None:
    st.markdown("**Predictions by class**")
    total = traffic["total_predictions"]
    rows = [(formatting.shorten(name), n / total) for name, n in traffic["predictions_by_class"].items()]
    page.show_chart(
        charts.share_bars(pd.DataFrame(rows, columns=["name", "share"]), title="Share of predictions"),
        alt="Share of predictions by class",
    )
    sources = ", ".join(
        f"{n:,} by {formatting.escape_markdown(name)}" for name, n in traffic["predictions_by_source"].items()
    )
    st.caption(f"Version {version.version}: {sources}")


def _show_performance(performance: dict[str, Any], degradation: dict[str, Any], version: ModelVersion) -> None:
    st.markdown(
        f"**Performance of version {version.version}**",
        help="Measured from outcomes; estimated from predicted probabilities",
    )
    if degradation["degradation_detected"]:
        worse = ", ".join(formatting.humanize(name) for name in degradation["degraded_metrics"])
        st.error(
            f"Significantly worse than in training: {formatting.escape_markdown(worse)}",
            icon=":material/trending_down:",
        )
    st.caption(_performance_basis(performance, queries.config().monitoring.min_rows))
    rows = [
        {
            "Metric": formatting.humanize(name),
            "Measured": formatting.format_number(performance.get(name)),
            "Interval": _interval_text(performance["intervals"].get(name)),
            "Estimated": formatting.format_number(estimate["value"]),
        }
        for name, estimate in performance["estimated"].items()
    ]
    page.show_table(pd.DataFrame(rows))


def _performance_basis(performance: dict[str, Any], min_rows: int) -> str:
    """Return from how many outcomes and predictions the metrics come, and what is lacking."""
    n_outcomes, n_rows = performance["n_outcomes"], performance["total_predictions"]
    basis = f"{pluralize(n_outcomes, 'outcome')} of {pluralize(n_rows, 'prediction')}."
    if n_rows < min_rows:
        return f"{basis} No estimates: {n_rows:,} of {min_rows:,} predictions needed."
    if n_outcomes < min_rows:
        return (
            f"{basis} {n_outcomes:,} of {min_rows:,} outcomes needed for a comparison with training;"
            " estimates follow from predicted probabilities. Record outcomes on the page History."
        )
    return basis


def _interval_text(interval: list[float | None] | None) -> str:
    if interval is None or interval[0] is None:
        return "-"
    return " to ".join(formatting.format_number(bound) for bound in interval)
