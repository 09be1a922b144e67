"""What happened hour by hour: answers, how sure they were, how many were wrong, and what was missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import charts, frame, watching, words

if TYPE_CHECKING:
    from app.watching import Hours

__all__ = ["answers", "confidence", "missing", "wrong"]


def answers(found: Hours, hours: int) -> None:
    """Draw the answers of the last `hours` by hour and class."""
    rows = [(one.at, words.short(name), n) for one in found.answers for name, n in one.by_class.items()]
    counted = pd.DataFrame(rows, columns=["at", "label", "rows"])
    now = frame.now_us()
    first, last = frame.local([now - hours * watching.HOUR_US, now])
    drawn = charts.by_hour(counted.assign(at=frame.local(list(counted["at"]))), since=first, until=last)
    frame.chart(drawn, alt="Predictions by hour and answer")


def confidence(found: Hours) -> None:
    """Draw the mean confidence by hour."""
    _line([(one.at, one.confidence) for one in found.answers], "Mean confidence")


def wrong(found: Hours) -> None:
    """Draw the share of wrong answers among those whose outcome is known, by the hour of the answer."""
    if not found.outcomes:
        st.caption("No outcome is known in this window, so nobody can say which answers were wrong.")
        return
    _line([(one.at, one.n_wrong / one.n_outcomes) for one in found.outcomes], "Wrong answers")


def missing(found: watching.Drift, column: str) -> None:
    """Draw the share of rows that lack a column, slot by slot."""
    shares = [(one.at, one.missing) for one in found.slots if one.column == column and one.missing is not None]
    if shares:
        _line(shares, "Missing")


def _line(points: list[tuple[int, float]], title: str) -> None:
    moments, values = zip(*points, strict=True)
    drawn = charts.by_time(pd.DataFrame({"at": frame.local(list(moments)), "value": values}), title=title)
    frame.chart(drawn, alt=f"{title} by hour")
