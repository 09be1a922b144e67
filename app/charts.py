"""Build Altair charts from data frames with fixed columns, without a page.

The colors are those of `app.palette`. Names are data, never field names, so any name can be rows. Channels are given as
Altair's classes, because Altair needs 5 to 20 ms to convert a text or `alt.condition` each time that it builds a chart.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from .palette import AMBER, BLUE, GRAY, INK, ORANGE, PAPER, SERIES

__all__ = [
    "MAX_RATIO",
    "Chart",
    "calibration_curve",
    "class_probabilities",
    "confusion_matrix",
    "distribution_comparison",
    "drift_ratios",
    "feature_contributions",
    "hourly_counts",
    "interval_plot",
    "line_curve",
    "share_bars",
    "value_counts",
    "with_height",
]

Chart = alt.Chart | alt.LayerChart
_VERDICT_COLORS = {"drift": ORANGE, "degraded": ORANGE, "watch": AMBER, "stable": GRAY, "ok": GRAY}
MAX_RATIO = 3.0
_ROW_HEIGHT_PX, _AXIS_HEIGHT_PX = 30, 70
_MAX_BARS = 40
_LABEL_AXIS = alt.Axis(labelLimit=180, labelOverlap=False, title=None)


def with_height(chart: Any, height: int) -> Chart:
    """Return a chart with a height in pixels."""
    # `properties` copies all rows, and validates all parts.
    sized: Chart = chart.copy(deep=False)
    sized.height = height
    return sized


def _height_for_rows(n: int) -> int:
    return _ROW_HEIGHT_PX * max(n, 1) + _AXIS_HEIGHT_PX


def _conditional_color(test: str, color_if_true: str, color_if_false: str) -> alt.ColorValue:
    """Return one of two colors, by a test of the row."""
    return alt.ColorValue(color_if_false, condition={"test": test, "value": color_if_true})


def class_probabilities(frame: pd.DataFrame) -> Chart:
    """Draw bars of `probability` by `label`, one for each class; `is_predicted` marks the predicted class."""
    base = alt.Chart(frame).encode(
        y=alt.Y("label:N", sort=None, axis=_LABEL_AXIS),
        x=alt.X("probability:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", title="Probability")),
        tooltip=[
            alt.Tooltip("label:N", title="Class"),
            alt.Tooltip("probability:Q", format=".2%", title="Probability"),
        ],
    )
    color = _conditional_color("datum.is_predicted", BLUE, GRAY)
    texts = base.mark_text(align="left", dx=5, color=GRAY, fontWeight="bold").encode(
        text=alt.Text("probability:Q", format=".1%")
    )
    return with_height(
        alt.layer(base.mark_bar(cornerRadius=3).encode(color=color), texts), _height_for_rows(len(frame))
    )


def value_counts(frame: pd.DataFrame, *, title: str = "Rows") -> Chart:
    """Draw bars of `rows` by `value`, in the order of the frame."""
    return with_height(
        alt.Chart(frame)
        .mark_bar(color=BLUE, cornerRadiusEnd=3)
        .encode(
            x=alt.X("value:N", sort=None, axis=alt.Axis(title=None, labelAngle=-40, labelLimit=110, labelOverlap=True)),
            y=alt.Y("rows:Q", title=title),
            tooltip=[alt.Tooltip("value:N", title="Value"), alt.Tooltip("rows:Q", format=",", title=title)],
        ),
        240,
    )


def share_bars(frame: pd.DataFrame, *, title: str, max_share: float = 1.0) -> Chart:
    """Draw bars of `share` (0 to `max_share`) by `name`."""
    rows = frame.head(_MAX_BARS)
    return with_height(
        alt.Chart(rows)
        .mark_bar(color=BLUE, cornerRadiusEnd=3)
        .encode(
            y=alt.Y("name:N", sort=None, axis=_LABEL_AXIS),
            x=alt.X("share:Q", scale=alt.Scale(domain=[0, max_share]), axis=alt.Axis(format="%", title=title)),
            tooltip=[alt.Tooltip("name:N", title="Name"), alt.Tooltip("share:Q", format=".2%", title=title)],
        ),
        _height_for_rows(len(rows)),
    )


def drift_ratios(frame: pd.DataFrame, *, title: str = "Drift / limit") -> Chart:
    """Draw bars of `ratio` (a change as a multiple of its limit) by `name`, colored by `verdict`, with a line at 1.

    The axis ends at `MAX_RATIO`, so the limit has the same place always; the text of a bar has its value. A click on a
    bar is the selection `picked`, with the field `column` where the frame has it.
    """
    rows = frame.head(_MAX_BARS)
    verdicts = rows["verdict"].where(rows["verdict"].isin(list(_VERDICT_COLORS)), "other")
    colors = {name: color for name, color in {**_VERDICT_COLORS, "other": GRAY}.items() if (verdicts == name).any()}
    scale = alt.Scale(domain=list(colors), range=list(colors.values()))
    base = alt.Chart(
        rows.assign(
            color=verdicts, clipped=rows["ratio"].clip(upper=MAX_RATIO), text=rows["ratio"].map("{:.2g} x".format)
        )
    ).encode(
        y=alt.Y("name:N", sort=None, axis=_LABEL_AXIS),
        x=alt.X(
            "clipped:Q",
            scale=alt.Scale(domain=[0, MAX_RATIO + 0.4]),
            axis=alt.Axis(title=title, format="d", values=[0, 1, 2, 3]),
        ),
    )
    bars = base.mark_bar(cornerRadiusEnd=3).encode(
        color=alt.Color("color:N", scale=scale, legend=alt.Legend(title=None, orient="top")),
        tooltip=[
            alt.Tooltip("name:N", title="Name"),
            alt.Tooltip("verdict:N", title="Verdict"),
            alt.Tooltip("ratio:Q", format=".2f", title=title),
            alt.Tooltip("summary:N", title="Change"),
        ],
    )
    if "column" in rows:
        bars = bars.add_params(alt.selection_point(name="picked", fields=["column"], on="click"))
    texts = base.mark_text(align="left", dx=4, color=INK, fontSize=11).encode(text=alt.Text("text:N"))
    limit = alt.Chart(pd.DataFrame({"at": [1.0]})).mark_rule(color=ORANGE, strokeDash=[5, 4]).encode(x=alt.X("at:Q"))
    return with_height(alt.layer(bars, texts, limit), _height_for_rows(len(rows)))


def distribution_comparison(frame: pd.DataFrame, *, sides: tuple[str, str]) -> Chart:
    """Draw pairs of bars of `share` by `value`, one for each `side`, in the order of the frame."""
    return with_height(
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X(
                "value:N", sort=None, axis=alt.Axis(title=None, labelAngle=-40, labelLimit=140, labelOverlap=False)
            ),
            xOffset=alt.XOffset("side:N", sort=list(sides)),
            y=alt.Y("share:Q", axis=alt.Axis(format="%", title="Share of the rows")),
            color=alt.Color(
                "side:N",
                scale=alt.Scale(domain=list(sides), range=[GRAY, BLUE]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=[
                alt.Tooltip("side:N", title="Rows of"),
                alt.Tooltip("value:N", title="Value"),
                alt.Tooltip("share:Q", format=".2%", title="Share"),
            ],
        ),
        260,
    )


def feature_contributions(frame: pd.DataFrame) -> Chart:
    """Draw bars of `contribution` to the probability of the predicted class by `name`."""
    rows = frame.head(_MAX_BARS)
    return with_height(
        alt.Chart(rows)
        .mark_bar(cornerRadius=3)
        .encode(
            y=alt.Y("name:N", sort=None, axis=_LABEL_AXIS),
            x=alt.X("contribution:Q", axis=alt.Axis(format="+.1%", title="Contribution (percentage points)")),
            color=_conditional_color("datum.contribution >= 0", BLUE, ORANGE),
            tooltip=[
                alt.Tooltip("name:N", title="Feature"),
                alt.Tooltip("value:N", title="Value"),
                alt.Tooltip("contribution:Q", format="+.2%", title="Contribution"),
            ],
        ),
        _height_for_rows(len(rows)),
    )


def interval_plot(frame: pd.DataFrame, *, title: str, reference: float | None = None) -> Chart:
    """Draw points of `value` with the interval `low` to `high` by `name`, and a dashed line at `reference`."""
    rows = frame.head(_MAX_BARS)
    base = alt.Chart(rows).encode(y=alt.Y("name:N", sort=None, axis=_LABEL_AXIS))
    tooltip = [
        alt.Tooltip("name:N", title="Name"),
        *(alt.Tooltip(f"{name}:Q", format=".4f", title=name.title()) for name in ("value", "low", "high")),
    ]
    spans = base.mark_rule(color=GRAY, strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2=alt.X2("high:Q"))
    points = base.mark_point(filled=True, size=80, color=BLUE, opacity=1).encode(x=alt.X("value:Q"), tooltip=tooltip)
    layers: list[Any] = [spans, points]
    if reference is not None:
        line = alt.Chart(pd.DataFrame({"at": [reference]})).mark_rule(color=ORANGE, strokeDash=[5, 4])
        layers.append(line.encode(x=alt.X("at:Q")))
    return with_height(alt.layer(*layers), _height_for_rows(len(rows)))


def calibration_curve(frame: pd.DataFrame) -> Chart:
    """Draw the `observed` frequency (`low` to `high`) by `predicted` probability, and the ideal as a dashed line."""
    share = alt.Scale(domain=[0, 1])
    base = alt.Chart(frame).encode(
        x=alt.X("predicted:Q", scale=share, axis=alt.Axis(format="%", title="Predicted probability")),
        tooltip=[
            alt.Tooltip("predicted:Q", format=".1%", title="Predicted"),
            alt.Tooltip("observed:Q", format=".1%", title="Observed"),
            alt.Tooltip("rows:Q", format=",", title="Rows"),
        ],
    )
    spans = base.mark_rule(color=GRAY, strokeWidth=2).encode(
        y=alt.Y("low:Q", scale=share, axis=alt.Axis(format="%", title="Observed frequency")), y2=alt.Y2("high:Q")
    )
    points = base.mark_line(color=BLUE, point=alt.OverlayMarkDef(size=70, color=BLUE)).encode(y=alt.Y("observed:Q"))
    ideal = alt.Chart(pd.DataFrame({"at": [0, 1]})).mark_line(color=ORANGE, strokeDash=[5, 4])
    return with_height(alt.layer(ideal.encode(x=alt.X("at:Q"), y=alt.Y("at:Q")), spans, points), 300)


def line_curve(frame: pd.DataFrame, *, x: str, y: str, diagonal: bool = False) -> Chart:
    """Draw a line of column `y` over column `x`, both shares; `frame` is a file of plots/."""
    share = alt.Scale(domain=[0, 1])
    plain = frame[[x, y]].set_axis(["across", "up"], axis=1)
    titles = [name.replace("_", " ").capitalize() for name in (x, y)]
    line = (
        alt.Chart(plain)
        .mark_line(color=BLUE)
        .encode(
            x=alt.X("across:Q", scale=share, axis=alt.Axis(format="%", title=titles[0])),
            y=alt.Y("up:Q", scale=share, axis=alt.Axis(format="%", title=titles[1])),
            order=alt.Order("across:Q"),
            tooltip=[
                alt.Tooltip("across:Q", format=".1%", title=titles[0]),
                alt.Tooltip("up:Q", format=".1%", title=titles[1]),
            ],
        )
    )
    chance = alt.Chart(pd.DataFrame({"at": [0, 1]})).mark_line(color=ORANGE, strokeDash=[5, 4])
    layers = [chance.encode(x=alt.X("at:Q"), y=alt.Y("at:Q")), line] if diagonal else [line]
    return with_height(alt.layer(*layers), 300)


def confusion_matrix(frame: pd.DataFrame) -> Chart:
    """Draw `rows` by `actual` (down) and `predicted` (across) class, colored by the share of the actual class."""
    counted = frame.assign(share=frame["rows"] / frame.groupby("actual")["rows"].transform("sum").clip(lower=1))
    base = alt.Chart(counted).encode(
        x=alt.X("predicted:N", sort=None, axis=alt.Axis(title="Predicted", labelAngle=0, labelLimit=110)),
        y=alt.Y("actual:N", sort=None, axis=alt.Axis(title="Actual", labelLimit=110)),
        tooltip=[
            alt.Tooltip("actual:N", title="Actual"),
            alt.Tooltip("predicted:N", title="Predicted"),
            alt.Tooltip("rows:Q", format=",", title="Rows"),
            alt.Tooltip("share:Q", format=".1%", title="Share of the actual class"),
        ],
    )
    color = alt.Color("share:Q", scale=alt.Scale(range=[PAPER, BLUE], domain=[0, 1]), legend=None)
    ink = _conditional_color("datum.share > 0.5", PAPER, INK)
    rectangles = base.mark_rect(stroke=PAPER).encode(color=color)
    texts = base.mark_text(fontSize=15).encode(text=alt.Text("rows:Q", format=","), color=ink)
    return with_height(alt.layer(rectangles, texts), min(460, 90 + 60 * frame["actual"].nunique()))


def hourly_counts(
    frame: pd.DataFrame, *, since: pd.Timestamp, until: pd.Timestamp, title: str = "Predictions"
) -> Chart:
    """Draw bars of `rows` by hour (`at`, naive time in the user's zone) and `label`, from `since` to `until`."""
    span = alt.Scale(domain=[since.isoformat(), until.isoformat()])
    return with_height(
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X(
                "yearmonthdatehours(at):T",
                scale=span,
                axis=alt.Axis(title=None, format="%d %b %H:%M", labelOverlap=True),
            ),
            y=alt.Y("rows:Q", title=title, axis=alt.Axis(tickMinStep=1, format=",d")),
            color=alt.Color(
                "label:N", scale=alt.Scale(range=list(SERIES)), legend=alt.Legend(title=None, orient="top")
            ),
            tooltip=[
                alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="Hour from"),
                alt.Tooltip("label:N", title="Prediction"),
                alt.Tooltip("rows:Q", format=",", title=title),
            ],
        ),
        240,
    )
