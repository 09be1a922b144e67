"""Build the charts of what-if predictions, without a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from ..charts import with_height
from ..palette import BLUE, GRAY, ORANGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..charts import Chart

__all__ = ["what_if_bars", "what_if_line"]

_MAX_LEVEL_LABELS = 6


def what_if_line(frame: pd.DataFrame, *, feature: str, label: str, flips: Sequence[float]) -> Chart:
    """Draw `probability` of one class by the number `value`; dashed lines mark where the prediction flips."""
    base = alt.Chart(frame).encode(
        x=alt.X("value:Q", scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(title=feature)),
        y=_probability_axis(label),
        tooltip=_tooltip("value:Q"),
    )
    line = base.mark_line(color=BLUE, point=alt.OverlayMarkDef(color=BLUE))
    rules = (
        alt.Chart(pd.DataFrame({"at": [float(flip) for flip in flips]}))
        .mark_rule(color=ORANGE, strokeDash=[5, 4])
        .encode(x=alt.X("at:Q"), tooltip=[alt.Tooltip("at:Q", format=".6", title="Prediction flips at")])
    )
    return with_height(alt.layer(line, rules, _present_point(base)), 240)


def what_if_bars(frame: pd.DataFrame, *, label: str) -> Chart:
    """Draw `probability` of one class by the word `value`; `is_present` marks the value of the request."""
    angle = 0 if len(frame) <= _MAX_LEVEL_LABELS else -40
    base = alt.Chart(frame).encode(
        x=alt.X("value:N", sort=None, axis=alt.Axis(title=None, labelAngle=angle, labelLimit=110, labelOverlap=True)),
        y=_probability_axis(label),
        tooltip=_tooltip("value:N"),
    )
    color = alt.ColorValue(GRAY, condition={"test": "datum.is_present", "value": BLUE})
    return with_height(alt.layer(base.mark_bar(size=28).encode(color=color), _present_point(base)), 240)


def _present_point(base: alt.Chart) -> alt.Chart:
    present: alt.Chart = base.transform_filter("datum.is_present")
    point: alt.Chart = present.mark_point(filled=True, size=140, color=ORANGE, opacity=1)
    return point


def _probability_axis(label: str) -> alt.Y:
    scale = alt.Scale(domain=[0, 1])
    return alt.Y("probability:Q", scale=scale, axis=alt.Axis(format="%", title=f"Probability of {label}"))


def _tooltip(value: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(value, title="Value"),
        alt.Tooltip("probability:Q", format=".2%", title="Probability"),
        alt.Tooltip("prediction:N", title="Prediction"),
    ]
