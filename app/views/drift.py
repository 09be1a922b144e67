"""How far columns moved: at a glance, over time, and one column then and now with its statistics in words."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app import charts, frame, watching, words
from app.views import hourly

__all__ = ["VERDICTS", "effects", "show"]

VERDICTS = {
    "stable": "stable",
    "watch": "watch",
    "drift": "drift",
    "not_enough_data": "few rows",
    "not_evaluated": "not evaluated",
}
_STATISTICS = {
    "wasserstein": "How far values moved on average, in standard deviations of training",
    "kolmogorov_smirnov": "Largest gap between the two cumulative shares: 0 for none, 1 for no overlap",
    "jensen_shannon": "Distance of the two distributions: 0 for equal, 1 for no overlap",
    "psi": "Population stability index; by custom above 0.2 is a lot",
    "total_variation": "Share of the rows that would have to change their bin",
    "chi_squared": "Grows with the rows and with the difference; by itself it says little",
    "missing_before": "Share of missing values then",
    "missing_now": "Share of missing values now",
    "new": "Share of rows with a value that was never there before",
}
_SHARES = ("missing_before", "missing_now", "new", "total_variation")


def show(found: watching.Drift, titles: dict[str, str], *, before: str) -> None:
    """Show what was found; `before` says with what the window is compared."""
    left, right = st.columns(2)
    with left, st.container(border=True):
        _effects(found.report, titles)
    with right, st.container(border=True):
        _matrix(found, titles)
    with st.container(border=True):
        _column(found, titles, before)


def _title(titles: dict[str, str], column: str) -> str:
    return words.short(titles.get(column, words.spoken(column)), 40)


def _ratio(value: float | None, limit: float | None) -> float:
    return value / limit if value is not None and limit else 0.0


def effects(drift: dict[str, Any], titles: dict[str, str]) -> pd.DataFrame:
    """Return how far each column moved, as `charts.effects` draws it."""
    rows = [
        {
            "name": _title(titles, one["column"]),
            "ratio": _ratio(one["value"], one["limit"]),
            "verdict": VERDICTS[one["verdict"]],
            "words": words.short(one["words"], 200),
        }
        for one in drift["findings"]
    ]
    return pd.DataFrame(rows, columns=["name", "ratio", "verdict", "words"])


def _effects(drift: dict[str, Any], titles: dict[str, str]) -> None:
    st.markdown(
        "**How far each column moved**",
        help="A verdict needs a change above its limit and beyond chance; the line is the limit",
    )
    st.caption(words.sentence(words.short(drift["summary"], 400)))
    frame.chart(charts.effects(effects(drift, titles)), alt="Size of the change by column")


def _matrix(given: watching.Drift, titles: dict[str, str]) -> None:
    st.markdown(
        "**When it moved**",
        help="Each square compares its hours with training; a dot marks drift, grey is too few rows",
    )
    order = [one["column"] for one in given.report["findings"]]
    slots = sorted(given.slots, key=lambda one: order.index(one.column))
    if not slots:
        st.caption("No row in this span.")
        return
    found = pd.DataFrame(
        {
            "name": [_title(titles, one.column) for one in slots],
            "at": frame.local([one.at for one in slots]),
            "until": frame.local([one.until for one in slots]),
            "ratio": [_ratio(one.value, one.limit) for one in slots],
            "verdict": [VERDICTS[one.verdict] for one in slots],
            "n_rows": [one.n_rows for one in slots],
            "words": [words.short(one.words, 200) for one in slots],
        }
    )
    frame.chart(charts.drift_matrix(found), alt="Size of the change by column and time")


def _column(found: watching.Drift, titles: dict[str, str], before: str) -> None:
    by_name = {one["column"]: one for one in found.report["findings"]}
    if not by_name:
        return
    name = st.selectbox(
        "A column then and now",
        list(by_name),
        format_func=lambda one: f"{_title(titles, one)}: {VERDICTS[by_name[one]['verdict']]}",
        key="drift_column",
        bind="query-params",
    )
    one = by_name[name]
    st.markdown(f"**{words.plain(_title(titles, name))}**: {words.plain(words.short(one['words'], 300))}")
    left, right = st.columns([3, 2])
    sides = (before, "this window")
    rows = [
        (words.short(label, 40), side, share)
        for label, *both in one["shares"]
        for side, share in zip(sides, both, strict=True)
    ]
    with left:
        drawn = charts.then_and_now(pd.DataFrame(rows, columns=["value", "side", "share"]), sides=sides)
        frame.chart(drawn, alt=f"Distribution of {_title(titles, name)} then and now")
        hourly.missing(found, name)
    with right:
        figures = [
            (words.spoken(key), f"{value:.1%}" if key in _SHARES else words.number(value), _STATISTICS.get(key, ""))
            for key, value in one["statistics"].items()
            if value is not None
        ]
        frame.table(pd.DataFrame(figures, columns=["Statistic", "Value", "What it says"]), row_height=56)
