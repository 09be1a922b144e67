"""Parts of charts over time: their axis with deployments, frames of metrics, and zoom by dragging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.text import day_and_minute

from ... import page, time_range
from ...page_charts import window_charts
from ...page_queries import window_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.monitoring import PerformancePoint

    from ...chart_specs import ChartBuilder
    from ...charts import Chart

__all__ = ["RANGE_KEY", "metric_frame", "picked_point", "show_zoomable", "time_axis", "zoomed_ends"]

RANGE_KEY = "monitoring"  # of the widgets that choose the time range
_MIN_ZOOM_US = 60_000_000


def time_axis(model: str, *, since: int, until: int) -> window_charts.TimeAxis:
    """Return the axis of a range, in the user's zone, with the deployments in it."""
    changes = window_queries.deployment_changes(model, since=since, until=until)
    marks = pd.DataFrame(
        {
            "at": page.to_local_time([change.at for change in changes]),
            "label": ["no version" if change.version is None else f"version {change.version}" for change in changes],
        }
    )
    first, last = page.to_local_time([since, until])
    return window_charts.TimeAxis(first, last, page.time_zone_label(), marks)


def metric_frame(lines: Iterable[tuple[str, Iterable[PerformancePoint]]]) -> pd.DataFrame:
    """Return the points of named lines for `window_charts.metric_history`; a point without a value is left out."""
    points = [(name, point) for name, line in lines for point in line if point.estimate.value is not None]
    begin = page.to_local_time([point.since for _, point in points])
    end = page.to_local_time([point.until for _, point in points])
    return pd.DataFrame(
        {
            "line": [name for name, _ in points],
            "begin": begin,
            "end": end,
            "at": begin + (end - begin) / 2,
            "value": [point.estimate.value for _, point in points],
            "low": pd.Series([point.estimate.low for _, point in points], dtype="float64"),
            "high": pd.Series([point.estimate.high for _, point in points], dtype="float64"),
            "n_rows": [point.n_rows for _, point in points],
        }
    )


def show_zoomable(
    chart: Chart | ChartBuilder, *, alt: str, key: str, on_select: Callable[[], None] | None = None
) -> None:
    """Show a chart over time; after dragging in it, a button selects that range for the page."""
    state = page.show_chart(chart, alt=alt, key=key, is_selectable=True, on_select=on_select)
    ends = zoomed_ends(state)
    if ends is None:
        return
    since, until = ends
    zone = page.user_time_zone()
    label = f"Zoom to {day_and_minute(since, zone)} - {day_and_minute(until, zone)}"
    if st.button(
        label,
        key=f"{key}_zoom",
        icon=":material/zoom_in:",
        on_click=lambda: time_range.select_time_range(RANGE_KEY, since=since, until=until),
    ):
        st.rerun()


def picked_point(state: Any) -> dict[str, str]:
    """Return the fields of the point that is selected in a chart; empty for none."""
    picked = (state or {}).get("selection", {}).get("picked") or []
    return {name: str(value) for name, value in picked[0].items()} if picked else {}


def zoomed_ends(state: Any) -> tuple[int, int] | None:
    """Return the ends of the interval that is selected in a chart, in microseconds since 1970; None for none.

    Examples
    --------
    >>> zoomed_ends({"selection": {"zoom": {"at": [1_764_263_400_000, 1_764_270_600_000.4]}}})
    (1764263400000000, 1764270600000400)
    """
    zoom = (state or {}).get("selection", {}).get("zoom") or {}
    ends = next(iter(zoom.values()), None)
    if not ends or len(ends) != 2:
        return None
    since, until = sorted(round(1000 * float(end)) for end in ends)
    return (since, until) if until - since >= _MIN_ZOOM_US else None
