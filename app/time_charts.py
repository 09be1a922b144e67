"""Build charts over time of values with a limit: lines by period, interval, training value and deployment marks."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from app.charts import Chart, with_height
from app.palette import GRAY, INK, RED, SERIES

__all__ = ["LINE_COLUMNS", "MARK_COLUMNS", "lines_with_limit"]

LINE_COLUMNS = ("label", "at", "until", "value", "low", "high", "rows", "is_beyond")
MARK_COLUMNS = ("at", "text")
_HEIGHT_PX = 250


def lines_with_limit(
    frame: pd.DataFrame,
    *,
    title: str,
    limit: float | None,
    baseline: float | None = None,
    marks: pd.DataFrame | None = None,
    is_log: bool = False,
    zone: str = "UTC",
) -> Chart:
    """Draw a line for each label, with its interval, and rules at the limit and at the value of training.

    Parameters
    ----------
    frame : DataFrame
        With `LINE_COLUMNS`: one row for each period of a line, times naive in the user's zone. A period without a value
        interrupts its line; `is_beyond` marks periods beyond the limit.
    title : str
        Of the axis.
    limit, baseline : float or None
    marks : DataFrame or None
        With `MARK_COLUMNS`: moments of deployments.
    is_log : bool
        Whether the axis is logarithmic above 1, for multiples of a limit.
    zone : str
        Name of the time zone.
    """
    rules = {"limit": limit, "training": baseline}
    known = [value for value in [*rules.values(), *frame["low"], *frame["high"], *frame["value"]] if _is_known(value)]
    bounds = (min(known, default=0.0), max(known, default=1.0))
    margin = (bounds[1] - bounds[0]) * 0.08
    scale = (
        alt.Scale(type="symlog", constant=1, domain=[0, max(bounds[1] * 1.2, 2.0)])
        if is_log
        else alt.Scale(zero=False, nice=False, domain=[bounds[0] - margin, bounds[1] + margin])
    )
    y = alt.Y("value:Q", scale=scale, axis=alt.Axis(title=title, tickCount=6))
    layers: list[Any] = [_band(frame, scale), _line(frame, y, title=title, zone=zone)]
    layers += [_rule(name, value, scale) for name, value in rules.items() if value is not None]
    if marks is not None and len(marks):
        layers.append(_deployments(marks, frame["at"].min() + (frame["until"].max() - frame["at"].min()) / 2))
    chart: Any = alt.layer(*layers)
    return with_height(
        chart.properties(title=alt.Title("", subtitle=[f"Times in {zone}"], subtitleColor=GRAY)), _HEIGHT_PX
    )


def _is_known(value: float | None) -> bool:
    return value is not None and value == value  # noqa: PLR0124 - NaN


def _line(frame: pd.DataFrame, y: alt.Y, *, title: str, zone: str) -> Any:
    names = list(dict.fromkeys(frame["label"]))
    color = alt.Color(
        "label:N",
        sort=None,
        scale=alt.Scale(domain=names, range=[SERIES[i % len(SERIES)] for i in range(len(names))]),
        legend=alt.Legend(title=None, orient="top", labelLimit=220) if len(names) > 1 else None,
    )
    base = alt.Chart(frame.assign(middle=frame["at"] + (frame["until"] - frame["at"]) / 2)).encode(
        x=alt.X("middle:T", axis=alt.Axis(title=f"Time ({zone})", format="%d %b %H:%M", labelOverlap=True)),
        y=y,
        color=color,
        tooltip=[
            alt.Tooltip("label:N", title="Name"),
            alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="From"),
            alt.Tooltip("until:T", format="%Y-%m-%d %H:%M", title="To"),
            alt.Tooltip("value:Q", format=".4~g", title=title),
            alt.Tooltip("rows:Q", format=",", title="Rows"),
        ],
    )
    shape = alt.ShapeValue("circle", condition={"test": "datum.is_beyond", "value": "diamond"})
    size = alt.SizeValue(40, condition={"test": "datum.is_beyond", "value": 110})
    return alt.layer(
        base.mark_line(strokeWidth=2), base.mark_point(filled=True, opacity=1).encode(shape=shape, size=size)
    )


def _band(frame: pd.DataFrame, scale: alt.Scale) -> Any:
    known = frame[frame["low"].notna() & frame["high"].notna()]
    middle = known["at"] + (known["until"] - known["at"]) / 2
    return (
        alt.Chart(known.assign(middle=middle))
        .mark_area(opacity=0.2, color=SERIES[0])
        .encode(x="middle:T", y=alt.Y("low:Q", scale=scale), y2="high:Q")
    )


def _rule(name: str, value: float, scale: alt.Scale) -> Any:
    """Draw a horizontal line with its name: the limit's on the left, that of training on the right."""
    is_limit = name == "limit"
    color = RED if is_limit else GRAY
    row = pd.DataFrame([{"value": value, "text": f"{name} {value:.4g}"}])
    y = alt.Y("value:Q", scale=scale)
    rule = alt.Chart(row).mark_rule(color=color, strokeDash=[6, 3] if is_limit else [2, 2], strokeWidth=1.5).encode(y=y)
    text = alt.Chart(row).mark_text(
        align="left" if is_limit else "right", baseline="bottom", dx=3 if is_limit else -3, dy=-2, color=color
    )
    return alt.layer(rule, text.encode(y=y, x=alt.XValue(0 if is_limit else "width"), text="text:N"))


def _deployments(marks: pd.DataFrame, middle: pd.Timestamp) -> Any:
    """Draw vertical lines with texts that stay inside of the chart."""
    base = alt.Chart(marks).encode(
        x="at:T",
        tooltip=[
            alt.Tooltip("text:N", title="Deployment"),
            alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="At"),
        ],
    )
    early, late = (
        alt.Chart(marks[is_side]).encode(x="at:T", y=alt.YValue(0), text="text:N")
        for is_side in (marks["at"] <= middle, marks["at"] > middle)
    )
    texts = (
        early.mark_text(align="left", dx=4, dy=2, baseline="top", color=INK),
        late.mark_text(align="right", dx=-4, dy=2, baseline="top", color=INK),
    )
    return alt.layer(base.mark_rule(color=INK, strokeWidth=1.5), *texts)
