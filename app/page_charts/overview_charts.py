"""Build the charts of the overview and the wall page: traffic by hour, and a rate with its training value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from pipeline.state import HOUR_US

from ..charts import Chart, with_height
from ..palette import BLUE, ORANGE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from pipeline.monitoring import HourlyPredictions

__all__ = ["hourly_frame", "rate_line", "traffic_area"]


def hourly_frame(hours: Sequence[HourlyPredictions], *, n_hours: int, now: int, zone: tzinfo) -> pd.DataFrame:
    """Return `at` (naive time in `zone`) and `rows` of the last `n_hours` hours, the present one included."""
    present = now - now % HOUR_US
    starts = [present - back * HOUR_US for back in range(n_hours - 1, -1, -1)]
    counts = {hour.hour: hour.n_predictions for hour in hours}
    moments = pd.to_datetime(starts, unit="us", utc=True).tz_convert(zone).tz_localize(None)
    return pd.DataFrame({"at": moments, "rows": [counts.get(start, 0.0) for start in starts]})


def traffic_area(frame: pd.DataFrame) -> Chart:
    """Draw `rows` over `at` as an area."""
    axis = alt.Axis(title=None, format="%d %b %H:%M", labelOverlap=True)
    area = (
        alt.Chart(frame)
        .mark_area(color=BLUE, opacity=0.75, interpolate="step-after")
        .encode(
            x=alt.X("at:T", axis=axis),
            y=alt.Y("rows:Q", axis=alt.Axis(title=None, tickCount=3, format=",d")),
            tooltip=[
                alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="Hour from"),
                alt.Tooltip("rows:Q", format=",", title="Predictions"),
            ],
        )
    )
    return with_height(area, 140)


def rate_line(frame: pd.DataFrame, *, title: str, training: float | None) -> Chart:
    """Draw a rate `value` over `at` with its value in training as a dashed line; the axis shows where it moves."""
    line = (
        alt.Chart(frame)
        .mark_line(color=BLUE, point=alt.OverlayMarkDef(color=BLUE, size=25))
        .encode(
            x=alt.X("at:T", axis=alt.Axis(title=None, format="%d %b %H:%M", labelOverlap=True)),
            y=alt.Y("value:Q", scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(format=".1%", title=title)),
            tooltip=[
                alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="Hour from"),
                alt.Tooltip("value:Q", format=".2%", title=title),
            ],
        )
    )
    if training is None:
        return with_height(line, 150)
    reference = alt.Chart(pd.DataFrame({"at": [training]}))
    rule = reference.mark_rule(color=ORANGE, strokeDash=[5, 4]).encode(y=alt.Y("at:Q"))
    return with_height(alt.layer(line, rule), 150)
