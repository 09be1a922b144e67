"""The chart of predictions by hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from app import charts, formatting, monitoring_queries, page

if TYPE_CHECKING:
    from app.window_queries import HourlyActivity

__all__ = ["show_predictions"]


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
