"""Traffic of a version over time: predictions by class, confidence and error rate beside their values in training."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pipeline.metrics import MetricEstimate
from pipeline.monitoring import PerformancePoint
from pipeline.monitoring.log import confidence_by_period

from ... import address, formatting, page
from ...page_charts import window_charts
from . import time_frames

if TYPE_CHECKING:
    from pipeline.monitoring import MetricLine
    from pipeline.package import Package

    from ...page_charts.window_charts import TimeAxis
    from ...page_queries.window_queries import HourlyActivity, WindowSummary

__all__ = ["error_points", "show_traffic"]

_TITLE, _KEY = "Traffic: predictions by class, confidence and error rate by hour", "traffic_open"
_SCALE_LABELS = {"counts": "Counts", "log": "Log", "shares": "Shares"}


def show_traffic(summary: WindowSummary, package: Package, *, axis: TimeAxis, min_rows: int) -> None:
    """Show predictions by class, confidence and error rate by hour, once they are opened."""
    opened = st.expander(_TITLE, icon=":material/stacked_bar_chart:", key=_KEY, on_change="rerun", bind="query-params")
    if opened.open:  # the three charts would take a third of the page's time in the browser
        with opened:
            _show_charts(summary, package, axis=axis, min_rows=min_rows)


def _show_charts(summary: WindowSummary, package: Package, *, axis: TimeAxis, min_rows: int) -> None:
    activity = summary.activity
    columns = st.columns(3)
    with columns[0], st.container(border=True, height="stretch"):
        _show_classes(activity, axis)
    with columns[1], st.container(border=True, height="stretch"):
        st.markdown(
            "**Mean confidence**",
            help="Mean probability of the predicted class; hours are merged until they have enough rows",
        )
        _show_confidence(activity, package, axis, min_rows=min_rows)
    with columns[2], st.container(border=True, height="stretch"):
        _show_error_rate(summary, axis)


def _show_classes(activity: HourlyActivity, axis: TimeAxis) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("**Predictions by class**")
        scale = address.choose(
            st.segmented_control,
            list(_SCALE_LABELS),
            parameter="traffic",
            key="traffic_scale",
            default="counts",
            format_func=_SCALE_LABELS.__getitem__,
            label="Scale",
            label_visibility="collapsed",
        )
    rows = [
        (hour.hour, formatting.shorten(name), n) for hour in activity.predictions for name, n in hour.by_class.items()
    ]
    frame = pd.DataFrame(rows, columns=["at", "label", "rows"])
    frame = frame.assign(at=page.to_local_time(list(frame["at"])))
    chart = partial(window_charts.class_traffic, frame, axis, scale=scale)
    time_frames.show_zoomable(chart, alt="Predictions by hour and class", key=f"traffic_chart_{axis.id}")


def _show_confidence(activity: HourlyActivity, package: Package, axis: TimeAxis, *, min_rows: int) -> None:
    points = [
        PerformancePoint(period.since, period.until, period.n_rows, MetricEstimate(mean))
        for period, mean in confidence_by_period(activity.predictions, min_rows=min_rows)
        if period.n_rows >= min_rows
    ]
    if not points:
        n_rows = round(sum(hour.n_predictions for hour in activity.predictions))
        st.caption(f"Not enough data: {n_rows:,} of {min_rows:,} predictions needed.")
        return
    reference = package.reference.confidence.mean
    page.show_chart(
        partial(
            window_charts.metric_history,
            time_frames.metric_frame([("Confidence", points)]),
            axis,
            title="Mean confidence",
            percent=True,
            references=() if reference is None else (("training", reference, False),),
        ),
        alt="Mean confidence over time, with its value in training",
    )


def _show_error_rate(summary: WindowSummary, axis: TimeAxis) -> None:
    st.markdown(
        "**Error rate**",
        help="Wrong predictions among those with an outcome; hours are merged until they have enough outcomes",
    )
    accuracy = next(line for line in summary.metrics if line.metric == "accuracy")
    frame = time_frames.metric_frame([("Error rate", error_points(accuracy))])
    if frame.empty:
        reason = next((point.estimate.reason for point in accuracy.realized if point.estimate.reason), None)
        st.caption(f"Error rate unknown: {reason or 'no outcomes in this period'}.")
        return
    references = [("training", accuracy.baseline, False), ("limit", accuracy.limit, True)]
    page.show_chart(
        partial(
            window_charts.metric_history,
            frame,
            axis,
            title="Error rate",
            percent=True,
            references=tuple(
                (name, 1.0 - value, is_limit) for name, value, is_limit in references if value is not None
            ),
        ),
        alt="Error rate over time, with its value in training and its limit",
    )


def error_points(accuracy: MetricLine) -> list[PerformancePoint]:
    """Return the error rate over time from the accuracy: 1 minus its value and interval."""
    return [
        replace(
            point,
            estimate=MetricEstimate(
                _complement(point.estimate.value), _complement(point.estimate.high), _complement(point.estimate.low)
            ),
        )
        for point in accuracy.realized
    ]


def _complement(share: float | None) -> float | None:
    return None if share is None else 1.0 - share
