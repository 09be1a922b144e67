"""The prediction log: live, searched and paged in the database; what became true can be said here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import formatting, page, queries
from app.views import outcome_form
from pipeline.state import PredictionQuery
from pipeline.text import percent, pluralize, timestamp

if TYPE_CHECKING:
    from pipeline.state import LoggedPrediction

__all__ = ["render"]

_PAGE_SIZE = 50
_MAX_COUNT = 10_000
_SPAN_HOURS = {"Last hour": 1, "Last day": 24, "Last week": 168, "All": None}


def render() -> None:
    """Show the page."""
    page.render_page("History", "Every answer that was given, newest first, with what became true.", _render_body)


def _render_body() -> None:
    settings = queries.config()
    search = _search_form(settings.name, settings.data.target.classes)
    is_live = st.toggle("Live", value=False, key="history_live", help="Looks again every 5 seconds")

    @st.fragment(run_every=5 if is_live else None)
    def look() -> None:
        page.error_boundary(lambda: _show_results(search, settings.data.target.classes))

    look()


def _search_form(model: str, classes: tuple[str, ...]) -> PredictionQuery:
    text, span, label, version, sure = st.columns([3, 2, 2, 2, 3])
    wanted = text.text_input("Search", key="history_text", placeholder="A value, or an identifier", bind="query-params")
    hours = _SPAN_HOURS[span.selectbox("When", list(_SPAN_HOURS), index=1, key="history_span")]
    answer = label.selectbox("Answer", ["Any", *classes], key="history_answer", format_func=formatting.shorten)
    numbers = [one.version for one in queries.versions(model)]
    number = version.selectbox(
        "Version",
        [None, *reversed(numbers)],
        format_func=lambda one: "Any" if one is None else str(one),
        key="history_version",
    )
    low, high = sure.slider("Confidence", 0, 100, (0, 100), format="%d %%", key="history_confidence")
    return PredictionQuery(
        model,
        since=None if hours is None else page.now_us() - hours * 3_600_000_000,
        version=number,
        prediction=None if answer == "Any" else answer,
        min_confidence=low / 100 if low > 0 else None,
        max_confidence=high / 100 if high < 100 else None,
        text=wanted.strip(),
    )


def _show_results(search: PredictionQuery, classes: tuple[str, ...]) -> None:
    total = queries.count_logged_predictions(search, max_count=_MAX_COUNT)
    if not total:
        page.empty_state("No prediction is found", "widen the search, or make one on the page Predict")
        return
    st.caption(f"{total:,} predictions or more" if total >= _MAX_COUNT else pluralize(total, "prediction"))
    pages = math.ceil(total / _PAGE_SIZE)
    number = st.pagination(pages, key="history_page") if pages > 1 else 1
    rows = queries.logged_predictions(search, limit=_PAGE_SIZE, offset=(number - 1) * _PAGE_SIZE)
    table = pd.DataFrame([_prediction_row(one) for one in rows])
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    marked = page.show_table(
        table,
        column_config={"Confidence": share, **page.time_columns("When")},
        on_select="rerun",
        selection_mode="single-row",
        key="history_rows",
    )
    chosen = [rows[at] for at in marked.selection.rows if at < len(rows)]
    if chosen:
        _show_detail(chosen[0], classes)
    else:
        st.caption("Mark a row to see all of it, and to say what became true.")


def _prediction_row(prediction: LoggedPrediction) -> dict[str, object]:
    return {
        "When": timestamp(prediction.predicted_at, page.user_time_zone()),
        "Answer": prediction.prediction,
        "Confidence": prediction.confidence,
        "Became true": prediction.outcome or "",
        "Version": prediction.version,
        **{name: formatting.table_cell_text(value) for name, value in prediction.features.items()},
        "Took": f"{prediction.latency_us / 1000:.2f} ms",
        "Identifier": prediction.prediction_id,
    }


def _show_detail(prediction: LoggedPrediction, classes: tuple[str, ...]) -> None:
    with st.container(border=True):
        st.markdown(
            f"**{formatting.escape_markdown(prediction.prediction)}** at {percent(prediction.confidence)}, {page.timestamp(prediction.predicted_at)}, by version {prediction.version}",
            help=formatting.escape_markdown(timestamp(prediction.predicted_at)),
        )
        left, right = st.columns(2)
        features = [(name, formatting.table_cell_text(value)) for name, value in prediction.features.items()]
        with left:
            page.show_table(pd.DataFrame(features, columns=["Column", "Value"]))
        chances = [(name, percent(share)) for name, share in prediction.probabilities.items()]
        with right:
            page.show_table(pd.DataFrame(chances, columns=["Class", "Probability"]))
        outcome_form.show_outcome_form(prediction.prediction_id, classes, recorded_outcome=prediction.outcome)
