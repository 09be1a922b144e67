"""The prediction log: live, searched and paged in the database; what became true can be said here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import access, frame, words
from app.views import feedback
from pipeline.state import Search
from pipeline.words import counted

if TYPE_CHECKING:
    from pipeline.state import LoggedPrediction

__all__ = ["render"]

_PAGE = 50
_COUNTED = 10_000
_SPANS = {"Last hour": 1, "Last day": 24, "Last week": 168, "All": None}


def render() -> None:
    """Show the page."""
    frame.page("History", "Every answer that was given, newest first, with what became true.", _body)


def _body() -> None:
    settings = access.config()
    search = _search(settings.name, settings.data.target.classes)
    is_live = st.toggle("Live", value=False, key="history_live", help="Looks again every 5 seconds")

    @st.fragment(run_every=5 if is_live else None)
    def look() -> None:
        frame.edge(lambda: _found(search, settings.data.target.classes))

    look()


def _search(model: str, classes: tuple[str, ...]) -> Search:
    text, span, label, version, sure = st.columns([3, 2, 2, 2, 3])
    wanted = text.text_input("Search", key="history_text", placeholder="A value, or an identifier", bind="query-params")
    hours = _SPANS[span.selectbox("When", list(_SPANS), index=1, key="history_span")]
    answer = label.selectbox("Answer", ["Any", *classes], key="history_answer", format_func=words.short)
    numbers = [one.version for one in access.versions(model)]
    number = version.selectbox(
        "Version",
        [None, *reversed(numbers)],
        format_func=lambda one: "Any" if one is None else str(one),
        key="history_version",
    )
    low, high = sure.slider("Confidence", 0, 100, (0, 100), format="%d %%", key="history_confidence")
    return Search(
        model,
        since=None if hours is None else frame.now_us() - hours * 3_600_000_000,
        version=number,
        prediction=None if answer == "Any" else answer,
        least_confidence=low / 100 if low > 0 else None,
        most_confidence=high / 100 if high < 100 else None,
        text=wanted.strip(),
    )


def _found(search: Search, classes: tuple[str, ...]) -> None:
    total = access.n_logged(search, at_most=_COUNTED)
    if not total:
        frame.empty("No prediction is found", "widen the search, or make one on the page Predict")
        return
    st.caption(f"{total:,} predictions or more" if total >= _COUNTED else counted(total, "prediction"))
    pages = math.ceil(total / _PAGE)
    number = st.pagination(pages, key="history_page") if pages > 1 else 1
    rows = access.logged(search, limit=_PAGE, offset=(number - 1) * _PAGE)
    table = pd.DataFrame([_row(one) for one in rows])
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    marked = frame.table(
        table,
        column_config={"Confidence": share, **frame.clock("When")},
        on_select="rerun",
        selection_mode="single-row",
        key="history_rows",
    )
    chosen = [rows[at] for at in marked.selection.rows if at < len(rows)]
    if chosen:
        _detail(chosen[0], classes)
    else:
        st.caption("Mark a row to see all of it, and to say what became true.")


def _row(one: LoggedPrediction) -> dict[str, object]:
    return {
        "When": words.moment(one.at, frame.zone()),
        "Answer": one.prediction,
        "Confidence": one.confidence,
        "Became true": one.outcome or "",
        "Version": one.version,
        **{name: words.cell_text(value) for name, value in one.features.items()},
        "Took": f"{one.latency_us / 1000:.2f} ms",
        "Identifier": one.prediction_id,
    }


def _detail(one: LoggedPrediction, classes: tuple[str, ...]) -> None:
    with st.container(border=True):
        st.markdown(
            f"**{words.plain(one.prediction)}** at {one.confidence:.1%}, {frame.when(one.at)}, by version {one.version}",
            help=words.plain(words.moment(one.at)),
        )
        left, right = st.columns(2)
        features = [(name, words.cell_text(value)) for name, value in one.features.items()]
        with left:
            frame.table(pd.DataFrame(features, columns=["Column", "Value"]))
        chances = [(name, f"{share:.2%}") for name, share in one.probabilities.items()]
        with right:
            frame.table(pd.DataFrame(chances, columns=["Class", "Probability"]))
        feedback.ask(one.prediction_id, classes, known=one.outcome)
