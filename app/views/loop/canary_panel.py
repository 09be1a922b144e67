"""The panel of a canary: predictions, errors and latency of champion and challenger by hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from ... import page
from ...page_charts import loop_charts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.trials.traffic_history import HourlyTraffic

__all__ = ["show_canary"]


def show_canary(hours: Sequence[HourlyTraffic]) -> None:
    """Show the traffic of each hour of a canary; nothing without one."""
    if not hours:
        return
    times = page.to_local_time([hour.hour_start for hour in hours])
    frame = pd.DataFrame(
        {
            "at": times,
            "variant": [hour.variant for hour in hours],
            "requests": [hour.counts.n_requests for hour in hours],
            "predictions": [hour.counts.n_predictions for hour in hours],
            "error_rate": [hour.error_rate for hour in hours],
            "p95_ms": [None if hour.p95_s is None else 1000 * hour.p95_s for hour in hours],
        }
    )
    st.markdown("**Canary traffic by hour**")
    parts = (
        ("predictions", "Predictions", ",d"),
        ("error_rate", "Failed requests", ".1%"),
        ("p95_ms", "Latency, 95th percentile (ms)", ",.3~f"),
    )
    for column, (name, title, axis_format) in zip(st.columns(len(parts)), parts, strict=True):
        with column:
            chart = loop_charts.traffic_over_time(
                frame.rename(columns={name: "value"})[["at", "variant", "requests", "value"]],
                title=title,
                axis_format=axis_format,
            )
            page.show_chart(chart, alt=f"{title} of champion and challenger by hour")
    st.caption(
        f"Hours in {page.time_zone_label()}. The champion predicts each failed request of the challenger. Latency is"
        " that of a scored batch; up to 1 ms counts as 1 ms."
    )
