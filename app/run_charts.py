"""Build Altair charts of runs and trials from data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from app.charts import Chart, with_height
from app.palette import BLUE, GRAY, ORANGE, SERIES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["overlaid_curves", "parallel_coordinates", "trial_scores"]


def parallel_coordinates(frame: pd.DataFrame, columns: Sequence[str]) -> Chart:
    """Draw a line for each run of `frame` through `columns`, each scaled from its minimum to its maximum."""
    numbers = frame[list(columns)].apply(pd.to_numeric, errors="coerce")
    ranges = (numbers.max() - numbers.min()).replace(0, 1)
    scaled = ((numbers - numbers.min()) / ranges).assign(run=frame["run"])
    long = scaled.melt("run", var_name="name", value_name="height")
    long["value"] = numbers.assign(run=frame["run"]).melt("run")["value"]
    return with_height(
        alt.Chart(long.dropna())
        .mark_line(point=True, strokeWidth=2, opacity=0.8)
        .encode(
            x=alt.X("name:N", sort=list(columns), axis=alt.Axis(title=None, labelAngle=-25, labelLimit=150)),
            y=alt.Y("height:Q", axis=alt.Axis(title="Scaled from min to max", labels=False, ticks=False)),
            color=alt.Color("run:N", scale=alt.Scale(range=list(SERIES)), legend=None),
            detail=alt.Detail("run:N"),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("name:N", title="Setting or metric"),
                alt.Tooltip("value:Q", format=".5g", title="Value"),
            ],
        ),
        320,
    )


def trial_scores(frame: pd.DataFrame, *, title: str) -> Chart:
    """Draw `value` by the number of the `trial`; `name` lists its overrides."""
    return with_height(
        alt.Chart(frame)
        .mark_line(color=GRAY, strokeWidth=1, point=alt.OverlayMarkDef(color=BLUE, size=70))
        .encode(
            x=alt.X("trial:O", axis=alt.Axis(title="Trial", labelAngle=0, labelOverlap=True)),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            tooltip=[
                alt.Tooltip("trial:O", title="Trial"),
                alt.Tooltip("name:N", title="Overrides"),
                alt.Tooltip("value:Q", format=".5f", title=title),
            ],
        ),
        220,
    )


def overlaid_curves(frame: pd.DataFrame, *, x: str, y: str, order: Sequence[str] = ()) -> Chart:
    """Draw a line of `up` over `across`, both shares, for each `run`; `x` and `y` are the axis titles.

    The second line is dashed, so that it does not hide the first; `order` is that of the runs.
    """
    names = list(order) or alt.Undefined
    share = alt.Scale(domain=[0, 1])
    return with_height(
        alt.Chart(frame)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("across:Q", scale=share, axis=alt.Axis(format="%", title=x)),
            y=alt.Y("up:Q", scale=share, axis=alt.Axis(format="%", title=y)),
            order=alt.Order("across:Q"),
            color=alt.Color(
                "run:N",
                scale=alt.Scale(domain=names, range=[BLUE, ORANGE]),
                legend=alt.Legend(title=None, orient="top", labelLimit=300, columns=1 if not order else alt.Undefined),
            ),
            strokeDash=alt.StrokeDash("run:N", scale=alt.Scale(domain=names, range=[[1, 0], [6, 3]]), legend=None),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("across:Q", format=".1%", title=x),
                alt.Tooltip("up:Q", format=".1%", title=y),
            ],
        ),
        280,
    )
