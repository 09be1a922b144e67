"""Build Altair charts of trials from data frames."""

from __future__ import annotations

import altair as alt
import pandas as pd

from ..charts import Chart, with_height
from ..palette import BLUE, GRAY, ORANGE

__all__ = ["gain_over_outcomes", "traffic_over_time"]

_VARIANT_COLORS = {"champion": BLUE, "challenger": ORANGE}

# An interval of the first units is much wider than all later ones; it would flatten them.
_MAX_HEIGHT_RATIO = 8.0


def gain_over_outcomes(frame: pd.DataFrame, *, metric: str, min_outcomes: int, decides_at: float = 0.0) -> Chart:
    """Draw the `gain` with the band `lower` to `upper` over `n_outcomes`.

    Dashed lines mark the gain that decides and the fewest outcomes.

    Bounds far outside of the later ones are cut.
    """
    limit = _MAX_HEIGHT_RATIO * float(frame[["lower", "upper"]].tail(1).abs().to_numpy().max()) if len(frame) else 1.0
    shown = frame.assign(lower=frame["lower"].clip(-limit, limit), upper=frame["upper"].clip(-limit, limit))
    title = f"Gain in {metric}"
    base = alt.Chart(shown).encode(
        x=alt.X("n_outcomes:Q", title="Outcomes", axis=alt.Axis(format=",d", tickMinStep=1)),
        tooltip=[
            alt.Tooltip("n_outcomes:Q", format=",", title="Outcomes"),
            alt.Tooltip("n_units:Q", format=",", title="Units"),
            alt.Tooltip("gain:Q", format="+.5f", title=title),
            alt.Tooltip("lower:Q", format="+.5f", title="From"),
            alt.Tooltip("upper:Q", format="+.5f", title="To"),
        ],
    )
    band = base.mark_area(color=BLUE, opacity=0.25).encode(
        y=alt.Y("lower:Q", title=title, axis=alt.Axis(format="+.3~f")), y2=alt.Y2("upper:Q")
    )
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(y=alt.Y("gain:Q"))
    decisive = (
        alt.Chart(pd.DataFrame({"at": [decides_at]})).mark_rule(color=ORANGE, strokeDash=[5, 4]).encode(y=alt.Y("at:Q"))
    )
    floor = alt.Chart(pd.DataFrame({"at": [min_outcomes]})).mark_rule(color=GRAY, strokeDash=[2, 3])
    return with_height(alt.layer(band, line, decisive, floor.encode(x=alt.X("at:Q"))), 280)


def traffic_over_time(frame: pd.DataFrame, *, title: str, axis_format: str) -> Chart:
    """Draw `value` by hour (`at`, naive time in the user's zone) for each `variant`."""
    variants = [name for name in _VARIANT_COLORS if (frame["variant"] == name).any()]
    color = alt.Color(
        "variant:N",
        scale=alt.Scale(domain=variants, range=[_VARIANT_COLORS[name] for name in variants]),
        legend=alt.Legend(title=None, orient="top"),
    )
    return with_height(
        alt.Chart(frame)
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=35))
        .encode(
            x=alt.X("at:T", axis=alt.Axis(title=None, format="%d %b %H:%M", labelOverlap=True)),
            y=alt.Y("value:Q", title=title, axis=alt.Axis(format=axis_format, tickCount=4)),
            color=color,
            tooltip=[
                alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title="Hour from"),
                alt.Tooltip("variant:N", title="Variant"),
                alt.Tooltip("value:Q", format=axis_format, title=title),
                alt.Tooltip("requests:Q", format=",", title="Requests"),
            ],
        ),
        210,
    )
