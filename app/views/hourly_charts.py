"""What happened hour by hour: answers, how sure they were, how many were wrong, and what was missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import charts, formatting, monitoring_queries, page

if TYPE_CHECKING:
    from app.monitoring_queries import HourlyActivity

__all__ = ["show_confidence", "show_error_rate", "show_missing_share", "show_predictions"]


def show_predictions(found: HourlyActivity, hours: int) -> None:
    """Draw the answers of the last `hours` by hour and class."""
    rows = [(one.hour, formatting.shorten(name), n) for one in found.predictions for name, n in one.by_class.items()]
    counted = pd.DataFrame(rows, columns=["at", "label", "rows"])
    now = page.now_us()
    first, last = page.to_local_time([now - hours * monitoring_queries.HOUR_US, now])
    drawn = charts.hourly_counts(counted.assign(at=page.to_local_time(list(counted["at"]))), since=first, until=last)
    page.show_chart(drawn, alt="Predictions by hour and answer")


def show_confidence(found: HourlyActivity) -> None:
    """Draw the mean confidence by hour."""
    _show_share_over_time([(one.hour, one.mean_confidence) for one in found.predictions], "Mean confidence")


def show_error_rate(found: HourlyActivity) -> None:
    """Draw the share of wrong answers among those whose outcome is known, by the hour of the answer."""
    if not found.outcomes:
        st.caption("No outcome is known in this window, so nobody can say which answers were wrong.")
        return
    _show_share_over_time([(one.hour, one.n_errors / one.n_outcomes) for one in found.outcomes], "Wrong answers")


def show_missing_share(found: monitoring_queries.DriftOverview, column: str) -> None:
    """Draw the share of rows that lack a column, slot by slot."""
    shares = [
        (one.since, one.missing_share)
        for one in found.intervals
        if one.column == column and one.missing_share is not None
    ]
    if shares:
        _show_share_over_time(shares, "Missing")


def _show_share_over_time(points: list[tuple[int, float]], title: str) -> None:
    moments, values = zip(*points, strict=True)
    drawn = charts.share_over_time(
        pd.DataFrame({"at": page.to_local_time(list(moments)), "value": values}), title=title
    )
    page.show_chart(drawn, alt=f"{title} by hour")
