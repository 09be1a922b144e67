"""Build Altair charts of one version from data frames: its groups, and the importance of its features over time."""

from __future__ import annotations

import altair as alt
import pandas as pd

from ..charts import Chart, with_height
from ..palette import AMBER, GRAY, GREEN, ORANGE, SERIES

__all__ = ["VERDICT_LABELS", "group_effects", "group_effects_over_time", "importance_over_time"]

VERDICT_LABELS = {"pass": "pass", "watch": "watch", "fail": "fail", "not_enough_data": "not enough data"}
_COLORS = {"pass": GREEN, "watch": AMBER, "fail": ORANGE, "not enough data": GRAY}
_SHAPES = {"pass": "circle", "watch": "triangle-up", "fail": "diamond", "not enough data": "cross"}
_MAX_GROUPS = 40
_LABELS = alt.Axis(labelLimit=180, labelOverlap=False, title=None)


def group_effects(frame: pd.DataFrame, *, title: str, limits: list[float], equal: float) -> Chart:
    """Draw the `effect` of each `group` with its interval `low` to `high`, in color and shape of its `verdict`.

    Dashed lines mark the limits, a gray line marks no difference. A group without an effect has no mark.
    """
    rows = frame.head(_MAX_GROUPS)
    base = alt.Chart(rows).encode(y=alt.Y("group:N", sort=None, axis=_LABELS))
    domain = list(_COLORS)
    color = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=domain, range=list(_COLORS.values())),
        legend=alt.Legend(title=None, orient="top"),
    )
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=domain, range=list(_SHAPES.values())))
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("verdict:N", title="Verdict"),
        alt.Tooltip("effect:Q", format=".3f", title=title),
        alt.Tooltip("low:Q", format=".3f", title="From"),
        alt.Tooltip("high:Q", format=".3f", title="To"),
        alt.Tooltip("rows:N", title="Rows"),
    ]
    spans = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=title, scale=alt.Scale(zero=False)), x2=alt.X2("high:Q"), color=color
    )
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=alt.X("effect:Q"), color=color, shape=shape, tooltip=tooltip
    )
    no_difference = alt.Chart(pd.DataFrame({"at": [equal]})).mark_rule(color=GRAY).encode(x=alt.X("at:Q"))
    bounds = alt.Chart(pd.DataFrame({"at": limits})).mark_rule(color=ORANGE, strokeDash=[5, 4]).encode(x=alt.X("at:Q"))
    return with_height(alt.layer(no_difference, bounds, spans, points), 30 * max(len(rows), 1) + 100)


def group_effects_over_time(
    frame: pd.DataFrame, groups: list[str], *, title: str, limits: list[float], equal: float
) -> Chart:
    """Draw the `effect` of each `group` with its interval `low` to `high` by window (`at`, naive time of its end).

    Dashed lines mark the limits, a gray line marks no difference; the shape of a point is that of its `verdict`.
    """
    base = alt.Chart(frame).encode(
        x=alt.X("at:T", axis=alt.Axis(title=None, format="%d %b %H:%M", labelOverlap=True)),
        color=alt.Color(
            "group:N", sort=groups, scale=alt.Scale(range=list(SERIES)), legend=alt.Legend(title=None, orient="top")
        ),
    )
    y = alt.Y("effect:Q", title=title, scale=alt.Scale(zero=False))
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="Window until"),
        alt.Tooltip("effect:Q", format=".3f", title=title),
        alt.Tooltip("low:Q", format=".3f", title="From"),
        alt.Tooltip("high:Q", format=".3f", title="To"),
        alt.Tooltip("verdict:N", title="Verdict"),
        alt.Tooltip("rows:Q", format=",", title="Rows"),
    ]
    decided = [name for name in _SHAPES if name != "not enough data"]
    shape = alt.Shape(
        "verdict:N",
        scale=alt.Scale(domain=decided, range=[_SHAPES[name] for name in decided]),
        legend=alt.Legend(title=None, orient="top"),
    )
    spans = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=title), y2=alt.Y2("high:Q"))
    lines = base.mark_line(strokeWidth=2).encode(y=y)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(y=y, shape=shape, tooltip=tooltip)
    no_difference = alt.Chart(pd.DataFrame({"at": [equal]})).mark_rule(color=GRAY).encode(y=alt.Y("at:Q"))
    bounds = alt.Chart(pd.DataFrame({"at": limits})).mark_rule(color=ORANGE, strokeDash=[5, 4]).encode(y=alt.Y("at:Q"))
    return with_height(alt.layer(no_difference, bounds, spans, lines, points), 280)


def importance_over_time(frame: pd.DataFrame, names: list[str]) -> Chart:
    """Draw the `share` of each feature (`name`) by window (`at`, naive time); a dot marks a change (`is_changed`)."""
    base = alt.Chart(frame).encode(
        x=alt.X("at:T", axis=alt.Axis(title=None, format="%d %b", labelOverlap=True)),
        y=alt.Y("share:Q", axis=alt.Axis(format="%", title="Share of the importance")),
        color=alt.Color(
            "name:N", sort=names, scale=alt.Scale(range=list(SERIES)), legend=alt.Legend(title=None, orient="top")
        ),
        tooltip=[
            alt.Tooltip("name:N", title="Feature"),
            alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="Window from"),
            alt.Tooltip("share:Q", format=".1%", title="Share"),
            alt.Tooltip("reference:Q", format=".1%", title="On test rows"),
            alt.Tooltip("rows:Q", format=",", title="Labeled rows"),
        ],
    )
    changed = base.transform_filter("datum.is_changed").mark_point(filled=True, size=120, opacity=1)
    return with_height(alt.layer(base.mark_line(point=alt.OverlayMarkDef(size=20)), changed), 300)
