"""Build Altair charts over time: lines with a limit, traffic by hour, and marks of deployments.

All times are naive times of the user's zone, which the title of the axis names. Colors and channels as in `charts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from ..charts import MAX_RATIO, Chart, with_height
from ..palette import GRAY, INK, ORANGE, SERIES

__all__ = ["TimeAxis", "class_traffic", "drift_history", "metric_history"]

_ZOOM, _PICKED = "zoom", "picked"
_TIME_FORMAT = "%d %b %H:%M"
_DASH, _SOLID = [5, 4], [1, 0]
_ESTIMATED = "Estimated"


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The time axis of the charts of a page.

    Attributes
    ----------
    since, until : Timestamp
        Ends, as naive times of the user's zone.
    zone : str
        Its name.
    marks : DataFrame
        Deployments with `at` and `label`; may be empty.
    """

    since: pd.Timestamp
    until: pd.Timestamp
    zone: str
    marks: pd.DataFrame

    def x(self, field: str = "at:T") -> alt.X:
        """Return the channel of a time, over the whole axis."""
        scale = alt.Scale(domain=[self.since.isoformat(), self.until.isoformat()])
        axis = alt.Axis(title=self.zone, titleFontSize=10, format=_TIME_FORMAT, labelOverlap=True, tickCount=6)
        return alt.X(field, scale=scale, axis=axis)

    @property
    def id(self) -> str:
        """The ends as text, so that a selection in a chart ends with its range."""
        return f"{self.since.isoformat()}_{self.until.isoformat()}"

    def deployment_layers(self) -> list[Any]:
        """Return a line with a label for each deployment."""
        if self.marks.empty:
            return []
        base = alt.Chart(self.marks).encode(
            x=self.x(), tooltip=[alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="Deployed"), alt.Tooltip("label:N")]
        )
        lines = base.mark_rule(color=INK, strokeDash=[2, 2], strokeWidth=1.5)
        middle = self.since + (self.until - self.since) / 2
        left, right = (self.marks[is_side] for is_side in (self.marks["at"] < middle, self.marks["at"] >= middle))
        texts = [
            alt.Chart(left).mark_text(align="left", dx=4, dy=4, baseline="top", color=INK, fontSize=11),
            alt.Chart(right).mark_text(align="right", dx=-4, dy=4, baseline="top", color=INK, fontSize=11),
        ]
        # Not `alt.value`, which hashes the whole schema each time to find this class.
        top: Any = alt.YValue(0)  # type: ignore[no-untyped-call]  # altair has no types here
        return [lines, *(text.encode(x=self.x(), y=top, text=alt.Text("label:N")) for text in texts)]


def _zoom() -> alt.Parameter:
    return alt.selection_interval(name=_ZOOM, encodings=["x"])


def _reference_layers(
    value: float, label: str, axis: TimeAxis, *, scale: alt.Scale, is_limit: bool = True
) -> list[Any]:
    """Return a dashed line at a value with its label at the left, the label of the limit first."""
    color, dash = (ORANGE, _DASH) if is_limit else (GRAY, [2, 3])
    frame = pd.DataFrame({"at": [axis.since], "reference": [value], "text": [label]})
    base = alt.Chart(frame).encode(y=alt.Y("reference:Q", scale=scale))
    text = base.mark_text(align="left", dx=4 if is_limit else 44, dy=-6, color=color, fontSize=11)
    line = base.mark_rule(color=color, strokeDash=dash, strokeWidth=1.5)
    return [line, text.encode(x=axis.x(), text=alt.Text("text:N"))]


def drift_history(frame: pd.DataFrame, axis: TimeAxis, *, colored: list[str], height: int = 300) -> Chart:
    """Draw lines of `ratio` (drift as a multiple of its limit) over `at` by `name`, with the limit at 1.

    Parameters
    ----------
    frame : DataFrame
        With `name`, `column`, `moment` (both identify a point), `at`, `begin`, `end`, `ratio`, `verdict`, `n_rows`.
    axis : TimeAxis
    colored : list of str
        Names with a color of their own; other lines are gray.
    height : int
        In pixels.
    """
    names = [name for name in dict.fromkeys(frame["name"]) if name in colored]
    rows = frame.assign(
        clipped=frame["ratio"].clip(upper=MAX_RATIO), series=frame["name"].where(frame["name"].isin(names), "other")
    )
    has_others = bool((rows["series"] == "other").any())
    scale = alt.Scale(
        domain=[*names, *(["other"] if has_others else [])], range=[*SERIES[: len(names)], *([GRAY] * has_others)]
    )
    legend = alt.Legend(title=None, orient="top", labelLimit=170, columns=4, symbolOpacity=1)
    ratio_scale = alt.Scale(domain=[0, MAX_RATIO + 0.15])
    picked = alt.selection_point(name=_PICKED, fields=["column", "moment"], on="click")
    base = alt.Chart(rows).encode(
        x=axis.x(),
        y=alt.Y(
            "clipped:Q",
            scale=ratio_scale,
            axis=alt.Axis(title="Drift / limit", values=[0, 1, 2, 3], format="d"),
        ),
        color=alt.Color("series:N", scale=scale, legend=legend),
        detail=alt.Detail("name:N"),
        tooltip=[
            alt.Tooltip("name:N", title="Feature"),
            alt.Tooltip("begin:T", format="%Y-%m-%d %H:%M", title="From"),
            alt.Tooltip("end:T", format="%Y-%m-%d %H:%M", title="To"),
            alt.Tooltip("ratio:Q", format=".2f", title="Drift / limit"),
            alt.Tooltip("verdict:N", title="Verdict"),
            alt.Tooltip("n_rows:Q", format=",", title="Rows"),
        ],
    )
    opacity = alt.OpacityValue(1.0, condition={"test": "datum.series === 'other'", "value": 0.35})
    lines = base.mark_line(strokeWidth=2).encode(opacity=opacity)
    points = base.mark_point(filled=True, size=90).encode(opacity=opacity).add_params(picked, _zoom())
    limit = _reference_layers(1.0, "limit", axis, scale=ratio_scale)
    return with_height(alt.layer(lines, *limit, *axis.deployment_layers(), points), height)


def metric_history(
    frame: pd.DataFrame,
    axis: TimeAxis,
    *,
    title: str,
    percent: bool = False,
    references: tuple[tuple[str, float, bool], ...] = (),
    height: int = 240,
) -> Chart:
    """Draw lines of `value` with the interval `low` to `high` over `at` by `line`, on an axis that shows the change.

    Parameters
    ----------
    frame : DataFrame
        With `line`, `at`, `begin`, `end`, `value`, `low`, `high` (both may be missing) and `n_rows`.
    axis : TimeAxis
    title : str
        Of the values.
    percent : bool
        Whether values are shares.
    references : tuple of (label, value, is_limit)
        Dashed lines with their label: the value of training, and the limit in orange.
    height : int
        In pixels.
    """
    names = list(dict.fromkeys(frame["line"]))
    colors = [GRAY if name == _ESTIMATED else SERIES[i % len(SERIES)] for i, name in enumerate(names)]
    legend = (
        alt.Legend(title=None, orient="top", labelLimit=170, columns=4, symbolOpacity=1) if len(names) > 1 else None
    )
    base = alt.Chart(frame).encode(
        x=axis.x(),
        color=alt.Color(
            "line:N",
            scale=alt.Scale(domain=names, range=colors),
            legend=legend,
        ),
    )
    values = [value for _, value, _ in references]
    scale = alt.Scale(domain=_value_domain(frame, values, percent=percent), zero=False, nice=False)
    y = alt.Y("value:Q", scale=scale, axis=alt.Axis(title=title, format=".1%" if percent else ".3f", tickCount=5))
    dashes = alt.Scale(domain=names, range=[_DASH if name == _ESTIMATED else _SOLID for name in names])
    lines = base.mark_line(strokeWidth=2).encode(y=y, strokeDash=alt.StrokeDash("line:N", scale=dashes, legend=legend))
    points = base.mark_point(filled=True, size=45, opacity=1).encode(
        y=y, tooltip=_point_tooltip(title, percent=percent)
    )
    layers: list[Any] = []
    if frame["low"].notna().any():
        area = base.mark_area(opacity=0.15, clip=True)
        layers.append(area.encode(y=alt.Y("low:Q", scale=scale), y2=alt.Y2("high:Q")))
    for label, value, is_limit in references:
        layers += _reference_layers(value, label, axis, scale=scale, is_limit=is_limit)
    return with_height(alt.layer(*layers, lines, *axis.deployment_layers(), points.add_params(_zoom())), height)


def _point_tooltip(title: str, *, percent: bool) -> list[alt.Tooltip]:
    number = ".1%" if percent else ".4f"
    return [
        alt.Tooltip("line:N", title=title),
        alt.Tooltip("begin:T", format="%Y-%m-%d %H:%M", title="From"),
        alt.Tooltip("end:T", format="%Y-%m-%d %H:%M", title="To"),
        alt.Tooltip("value:Q", format=number, title="Value"),
        alt.Tooltip("low:Q", format=number, title="Interval from"),
        alt.Tooltip("high:Q", format=number, title="Interval to"),
        alt.Tooltip("n_rows:Q", format=",", title="Rows"),
    ]


def _value_domain(frame: pd.DataFrame, references: list[float], *, percent: bool) -> list[float]:
    """Return the ends of an axis that shows the change of the values; shares stay between 0 and 1."""
    ends = [*frame["value"].dropna(), *frame["low"].dropna(), *frame["high"].dropna(), *references]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    margin = 0.08 * (high - low) or 0.01
    return [max(low - margin, 0.0), min(high + margin, 1.0)] if percent else [low - margin, high + margin]


def class_traffic(frame: pd.DataFrame, axis: TimeAxis, *, scale: str) -> Chart:
    """Draw predictions by hour and class: `counts`, counts on a `log` axis, or `shares` of the classes.

    Parameters
    ----------
    frame : DataFrame
        With `at`, `label`, `rows`; `begin` as `at`.
    axis : TimeAxis
    scale : str
        `counts`, `log` or `shares`. A burst hides other hours in `counts` alone.
    """
    labels = sorted(frame["label"].unique())
    color = alt.Color(
        "label:N",
        scale=alt.Scale(domain=labels, range=[SERIES[i % len(SERIES)] for i in range(len(labels))]),
        legend=alt.Legend(title=None, orient="top", labelLimit=170),
    )
    tooltip = [
        alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="Hour from"),
        alt.Tooltip("label:N", title="Class"),
        alt.Tooltip("rows:Q", format=",.0f", title="Predictions"),
    ]
    base = alt.Chart(frame).encode(x=axis.x(), color=color, tooltip=tooltip)
    if scale == "log":
        y = alt.Y("rows:Q", scale=alt.Scale(type="symlog"), axis=alt.Axis(title="Predictions by hour", format=",d"))
        marks = base.mark_line(point=alt.OverlayMarkDef(size=40)).encode(y=y)
    else:
        is_share = scale == "shares"
        axis_y = (
            alt.Axis(title="Share of predictions", format="%")
            if is_share
            else alt.Axis(title="Predictions by hour", format=",d", tickMinStep=1)
        )
        y = alt.Y("rows:Q", stack="normalize" if is_share else "zero", axis=axis_y)
        marks = base.mark_bar().encode(x=axis.x("yearmonthdatehours(at):T"), y=y)
    return with_height(alt.layer(marks.add_params(_zoom()), *axis.deployment_layers()), 240)
