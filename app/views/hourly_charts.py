"""Charts by hour: predictions and confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from app import charts, formatting, monitoring_queries, page

if TYPE_CHECKING:
    from app.window_queries import HourlyActivity

__all__ = ["show_confidence", "show_predictions"]


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


def _show_share_over_time(points: list[tuple[int, float]], title: str) -> None:
    timestamps, values = zip(*points, strict=True)
    chart = charts.share_over_time(
        pd.DataFrame({"at": page.to_local_time(list(timestamps)), "value": values}), title=title
    )
    page.show_chart(chart, alt=f"{title} by hour")
