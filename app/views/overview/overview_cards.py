"""The cards of the overview: traffic, confidence, errors, latency and incidents, against the day before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pipeline.monitoring.log.day_comparison import N_HOURS, compare_days
from pipeline.production_status.production_metrics import production_metrics
from pipeline.text import percent

from ... import formatting, page, queries
from ...page_queries import monitoring_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.monitoring.log.day_comparison import DayComparison
    from pipeline.production_status import ModelFacts, ProductionStatus
    from pipeline.state import ModelVersion

__all__ = ["show_cards"]

_VS_BEFORE = "vs. the day before"


def show_cards(production: ModelVersion | None, known: ModelFacts, status: ProductionStatus) -> None:
    """Show five cards about the last 24 hours of all versions."""
    activity = monitoring_queries.hourly_activity(status.model, 2 * N_HOURS)
    min_rows = queries.config().monitoring.min_rows
    days = compare_days(activity.predictions, activity.outcomes, now=page.now_us(), min_rows=min_rows)
    cards = st.columns(5)
    with cards[0]:
        _show_predictions(days)
    with cards[1]:
        _show_confidence(days, min_rows)
    with cards[2]:
        _show_errors(days, known, min_rows)
    with cards[3]:
        _show_latency(days, min_rows)
    with cards[4]:
        incidents = status.component("incidents")
        version = "No version is in Production" if production is None else f"Version {production.version} serves"
        st.metric(
            incidents.label,
            incidents.summary,
            border=True,
            height="stretch",
            help=formatting.message_markdown(f"{incidents.text}. {version}"),
        )


def _show_predictions(days: DayComparison) -> None:
    before, change = days.before.n_predictions, days.change(lambda day: day.n_predictions)
    st.metric(
        "Predictions, 24 h",
        f"{days.today.n_predictions:,.0f}",
        f"{change:+,.0f}" if before and change else None,
        delta_color="off",
        delta_description=_VS_BEFORE if before and change else None,
        chart_data=_sparkline(days.predictions),
        chart_type="bar",
        border=True,
        height="stretch",
        help="All versions, by hour; the present hour is not complete",
    )


def _show_confidence(days: DayComparison, min_rows: int) -> None:
    change = days.change(lambda day: day.mean_confidence)
    st.metric(
        "Mean confidence, 24 h",
        percent(days.today.mean_confidence, missing="-"),
        None if change is None else f"{100 * change:+.1f} pp",
        delta_color="off",
        delta_description=None if change is None else _VS_BEFORE,
        chart_data=_sparkline(days.confidences),
        border=True,
        height="stretch",
        help=_rows_help("Mean probability of the predicted class, by hour", days, min_rows),
    )


def _show_errors(days: DayComparison, known: ModelFacts, min_rows: int) -> None:
    """Show the measured error rate; with too few outcomes, the accuracy that the monitor estimated."""
    rate, change = days.today.error_rate, days.change(lambda day: day.error_rate)
    estimate = next((metric for metric in production_metrics(known.monitor_run) if metric.name == "accuracy"), None)
    if rate is None and estimate is not None and not estimate.is_measured:
        st.metric(
            "Estimated accuracy",
            percent(estimate.value),
            f"{100 * (estimate.value - estimate.training):+.1f} pp",
            delta_description="vs. training",
            border=True,
            height="stretch",
            help=f"From predicted probabilities, last monitor run; {days.today.n_outcomes:,.0f} of {min_rows:,}"
            " outcomes needed to measure the error rate",
        )
        return
    missing = f"{days.today.n_outcomes:,.0f} of {min_rows:,} outcomes needed"
    st.metric(
        "Error rate, 24 h",
        percent(rate, missing="-"),
        None if change is None else f"{100 * change:+.1f} pp",
        delta_color="inverse",
        delta_description=missing if rate is None else None if change is None else _VS_BEFORE,
        chart_data=_sparkline(days.error_rates) if rate is not None else None,
        border=True,
        height="stretch",
        help=f"Of {days.today.n_outcomes:,.0f} predictions with an outcome",
    )


def _show_latency(days: DayComparison, min_rows: int) -> None:
    latency, change = days.today.p95_latency_ms, days.change(lambda day: day.p95_latency_ms)
    st.metric(
        "Latency, 95th percentile",
        "-" if latency is None else f"{latency:,.2f} ms",
        None if change is None else f"{change:+,.2f} ms",
        delta_color="off",
        delta_description=None if change is None else _VS_BEFORE,
        chart_data=_sparkline(days.latencies),
        border=True,
        height="stretch",
        help=_rows_help("95 of 100 predictions of the last 24 hours were faster", days, min_rows),
    )


def _sparkline(values: Sequence[float]) -> list[float] | None:
    return list(values) if len(values) > 1 else None


def _rows_help(text: str, days: DayComparison, min_rows: int) -> str:
    n = days.today.n_predictions
    return text if n >= min_rows else f"{text}; {n:,.0f} of {min_rows:,} rows needed"
