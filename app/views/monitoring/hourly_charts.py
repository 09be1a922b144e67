"""The chart of predictions by hour."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ... import charts, formatting, page
from ...page_queries import monitoring_queries

if TYPE_CHECKING:
    from ...page_queries.window_queries import HourlyActivity

__all__ = ["show_predictions"]

_MINUTE_US = 60_000_000


def show_predictions(activity: HourlyActivity, hours: int) -> None:
    """Draw the predictions of the last `hours` by hour and class."""
    rows = [
        (hour.hour, formatting.shorten(name), n) for hour in activity.predictions for name, n in hour.by_class.items()
    ]
    counts = pd.DataFrame(rows, columns=["at", "label", "rows"])
    end = -(-page.now_us() // _MINUTE_US) * _MINUTE_US  # in one minute the chart stays the same
    first, last = page.to_local_time([end - hours * monitoring_queries.HOUR_US, end])
    counts = counts.assign(at=page.to_local_time(list(counts["at"])))
    chart = partial(charts.hourly_counts, counts, since=first, until=last)
    page.show_chart(chart, alt="Predictions by hour and class")
