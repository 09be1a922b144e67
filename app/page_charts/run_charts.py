"""Build Altair charts of runs and trials from data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from ..charts import Chart, with_height
from ..palette import BLUE, GRAY, INK, ORANGE, PAPER, SERIES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BEST_ROLE", "OTHER_ROLE", "overlaid_curves", "parallel_coordinates", "trial_scores"]

BEST_ROLE, OTHER_ROLE = "Best", "Other runs"
# Dashes distinguish lines of the same color, where there are more lines than colors.
_DASHES = ([1, 0], [5, 3], [2, 2])
# The colors of selected runs; that of the best one is its own.
_SELECTED_COLORS = tuple(color for color in SERIES if color not in (ORANGE, GRAY))


def parallel_coordinates(frame: pd.DataFrame, columns: Sequence[str]) -> Chart:
    """Draw a line for each row of `frame` through an axis for each of `columns`, with the values of each axis.

    Parameters
    ----------
    frame : DataFrame
        `run` (unique), `role` (`BEST_ROLE`, `OTHER_ROLE` or the name of a selected run, an entry of the legend), and
        the columns. A column of numbers is scaled from its minimum to its maximum; texts are at equal distances. A
        newline in the name of a column breaks its title.
    columns : sequence of str
    """
    parts, ticks = [], []
    for name in columns:
        heights, labels = _axis_positions(frame[name])
        texts = frame[name].map(lambda value: f"{value:.5g}" if isinstance(value, float) else str(value))
        part = pd.DataFrame({"run": frame["run"], "role": frame["role"], "height": heights, "value": texts})
        parts.append(part.assign(name=name))
        ticks += [(name, height, label) for height, label in labels]
    lines = pd.concat(parts).dropna() if parts else pd.DataFrame(columns=["run", "role", "height", "value", "name"])
    axis = alt.Axis(title=None, labelAngle=0, labelLimit=0, labelExpr="split(datum.label, '\\n')", domain=False)
    x = alt.X("name:N", sort=list(columns), scale=alt.Scale(type="point", padding=0.35), axis=axis)
    return with_height(
        alt.layer(*_axis_layers(columns, ticks, x), *_line_layers(lines, x), *_tick_layers(ticks, x)).resolve_scale(
            color="shared"
        ),
        330,
    )


def _axis_positions(values: pd.Series) -> tuple[pd.Series, list[tuple[float, str]]]:
    """Return the height of each value from 0 to 1 (NaN if missing), and the labels of the axis."""
    known = values.dropna()
    if all(isinstance(value, int | float) for value in known):
        numbers = values.astype(float)
        low, high = (float(numbers.min()), float(numbers.max())) if len(known) else (0.0, 0.0)
        if low == high:
            return numbers - low, [(0.0, f"{low:.4g}")] if len(known) else []
        return (numbers - low) / (high - low), [(at, f"{low + at * (high - low):.4g}") for at in (0.0, 0.5, 1.0)]
    labels = sorted({str(value) for value in known}, key=_natural_order)
    heights = {label: at / max(1, len(labels) - 1) for at, label in enumerate(labels)}
    return values.map(lambda value: heights.get(str(value))).astype(float), [
        (at, label) for label, at in heights.items()
    ]


def _natural_order(text: str) -> tuple[bool, float, str]:
    """Return the place of a text: numbers by value before all other texts."""
    try:
        return (False, float(text), text)
    except ValueError:
        return (True, 0.0, text)


def _axis_layers(columns: Sequence[str], ticks: list[tuple[str, float, str]], x: alt.X) -> list[alt.Chart]:
    known = {name for name, _, _ in ticks}
    ends = pd.DataFrame({"name": [name for name in columns if name in known], "from": 0.0, "to": 1.0})
    y = alt.Y("from:Q", axis=None, scale=alt.Scale(domain=[-0.04, 1.04]))
    return [alt.Chart(ends).mark_rule(color=GRAY).encode(x=x, y=y, y2=alt.Y2("to:Q"))]


def _line_layers(lines: pd.DataFrame, x: alt.X) -> list[alt.Chart]:
    selected = sorted(set(lines["role"]) - {BEST_ROLE, OTHER_ROLE})
    colors = {BEST_ROLE: ORANGE}
    colors |= {name: _SELECTED_COLORS[at % len(_SELECTED_COLORS)] for at, name in enumerate(selected)}
    colors |= {OTHER_ROLE: GRAY}
    shown = [role for role in colors if (lines["role"] == role).any()]
    color = alt.Color(
        "role:N",
        scale=alt.Scale(domain=shown, range=[colors[role] for role in shown]),
        legend=alt.Legend(title=None, orient="top", columns=3, labelLimit=0, symbolType="stroke", symbolStrokeWidth=3),
    )
    base = alt.Chart(lines).encode(
        x=x,
        y=alt.Y("height:Q"),
        color=color,
        detail=alt.Detail("run:N"),
        tooltip=[
            alt.Tooltip("run:N", title="Run"),
            alt.Tooltip("name:N", title="Setting or metric"),
            alt.Tooltip("value:N", title="Value"),
        ],
    )
    is_other = f"datum.role === '{OTHER_ROLE}'"
    others = base.transform_filter(is_other).mark_line(strokeWidth=1, opacity=0.45, point=alt.OverlayMarkDef(size=14))
    marked = base.transform_filter(f"!({is_other})").mark_line(strokeWidth=3, point=alt.OverlayMarkDef(size=45))
    return [others, marked]


def _tick_layers(ticks: list[tuple[str, float, str]], x: alt.X) -> list[alt.Chart]:
    labels = alt.Chart(pd.DataFrame(ticks, columns=["name", "height", "label"])).encode(
        x=x, y=alt.Y("height:Q"), text=alt.Text("label:N")
    )
    text: Any = {"align": "left", "dx": 6, "fontSize": 11, "limit": 150}
    halo = labels.mark_text(**text, stroke=PAPER, strokeWidth=4, strokeOpacity=0.85)
    return [halo, labels.mark_text(**text, color=INK)]


def trial_scores(frame: pd.DataFrame, *, title: str) -> Chart:
    """Draw `value` by the number of the `trial`; `name` lists its overrides, `is_best` marks the best trial."""
    base = alt.Chart(frame).encode(
        x=alt.X("trial:O", axis=alt.Axis(title="Trial", labelAngle=0, labelOverlap=True)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
        tooltip=[
            alt.Tooltip("trial:O", title="Trial"),
            alt.Tooltip("name:N", title="Overrides"),
            alt.Tooltip("value:Q", format=".5f", title=title),
        ],
    )
    line = base.mark_line(color=GRAY, strokeWidth=1, point=alt.OverlayMarkDef(color=BLUE, size=70))
    best = base.transform_filter("datum.is_best").mark_point(color=ORANGE, filled=True, size=150, opacity=1)
    return with_height(alt.layer(line, best), 220)


def overlaid_curves(frame: pd.DataFrame, *, x: str, y: str, has_diagonal: bool = False) -> Chart:
    """Draw a line of `up` over `across`, both shares, for each `run`; `x` and `y` are the axis titles.

    The legend names every run in full, in the order of the frame. `has_diagonal` draws the line from 0 to 1.
    """
    share = alt.Scale(domain=[0, 1])
    runs = list(dict.fromkeys(frame["run"]))
    colors = [SERIES[at % len(SERIES)] for at in range(len(runs))]
    dashes = [_DASHES[at // len(SERIES) % len(_DASHES)] for at in range(len(runs))]
    legend = alt.Legend(title=None, orient="bottom", direction="vertical", columns=1, labelLimit=0)
    lines = (
        alt.Chart(frame)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("across:Q", scale=share, axis=alt.Axis(format="%", title=x)),
            y=alt.Y("up:Q", scale=share, axis=alt.Axis(format="%", title=y)),
            order=alt.Order("across:Q"),
            color=alt.Color("run:N", sort=runs, scale=alt.Scale(domain=runs, range=colors), legend=legend),
            strokeDash=alt.StrokeDash("run:N", scale=alt.Scale(domain=runs, range=dashes), legend=None),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("across:Q", format=".1%", title=x),
                alt.Tooltip("up:Q", format=".1%", title=y),
            ],
        )
    )
    ends = alt.Chart(pd.DataFrame({"at": [0, 1]})).mark_line(color=GRAY, strokeWidth=1, strokeDash=[5, 4])
    diagonal = [ends.encode(x=alt.X("at:Q"), y=alt.Y("at:Q"))] if has_diagonal else []
    return with_height(alt.layer(*diagonal, lines), 260 + 18 * len(runs))
