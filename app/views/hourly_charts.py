"""Charts by hour: predictions, confidence, error rate and missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import charts, formatting, monitoring_queries, page

if TYPE_CHECKING:
    from app.monitoring_queries import HourlyActivity

__all__ = ["show_confidence", "show_error_rate", "show_missing_share", "show_predictions"]


def show_predictions(activity: HourlyActivity, hours: int) -> None:
    """Draw the predictions of the last `hours` by hour and class."""
    rows = [
        (hour.hour, formatting.shorten(name), n) for hour in activity.predictions for name, n in hour.by_class.items()
    ]
    counts = pd.DataFrame(rows, columns=["at", "label", "rows"])
    now = page.now_us()
    first, last = page.to_local_time([now - hours * monitoring_queries.HOUR_US, now])
    chart = charts.hourly_counts(counts.assign(at=page.to_local_time(list(counts["at"]))), since=first, until=last)
    page.show_chart(chart, alt="Predictions by hour and class")


def show_confidence(activity: HourlyActivity) -> None:
    """Draw the mean confidence by hour."""
    _show_share_over_time([(hour.hour, hour.mean_confidence) for hour in activity.predictions], "Mean confidence")


def show_error_rate(activity: HourlyActivity) -> None:
    """Draw the error rate of the predictions with an outcome, by the hour of the prediction."""
    if not activity.outcomes:
        st.caption("No outcomes in this period; error rate unknown.")
        return
    _show_share_over_time([(hour.hour, hour.n_errors / hour.n_outcomes) for hour in activity.outcomes], "Error rate")


def show_missing_share(overview: monitoring_queries.DriftOverview, feature: str) -> None:
    """Draw the share of missing values of a feature over time."""
    shares = [
        (point.since, point.finding.statistics["missing_share_window"])
        for line in overview.lines
        if line.column == feature
        for point in line.points
        if "missing_share_window" in point.finding.statistics
    ]
    if shares:
        _show_share_over_time(shares, "Missing")


def _show_share_over_time(points: list[tuple[int, float]], title: str) -> None:
    timestamps, values = zip(*points, strict=True)
    chart = charts.share_over_time(
        pd.DataFrame({"at": page.to_local_time(list(timestamps)), "value": values}), title=title
    )
    page.show_chart(chart, alt=f"{title} by hour")
