"""The history page: search the prediction log, and open one prediction."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.errors import UsageError
from pipeline.state.prediction_search import PredictionCursor
from pipeline.text import pluralize, timestamp

from ... import formatting, links, page, queries
from ...page_queries import prediction_queries
from . import history_filters, prediction_detail

if TYPE_CHECKING:
    from pipeline.state import LoggedPrediction
    from pipeline.state.prediction_search import PredictionCount, PredictionPage

    from .history_filters import HistoryChoices

__all__ = ["render"]

_PAGE_SIZE = 50
_MAX_COUNT = 10_000
# What the address has for choices that select nothing.
_DEFAULT_VALUES = ([""], ["any"], ["0"], ["false"])
_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")
_MARKS = {True: "✓ right", False: "✗ wrong", None: ""}


def render() -> None:
    """Show the prediction that the address names, otherwise the search."""
    if st.query_params.get("prediction_id"):
        page.render_page("Prediction", "One logged prediction: inputs, reasons and outcome.", prediction_detail.render)
    else:
        page.render_page("History", "All logged predictions, newest first, with outcomes.", _render_body)


def _render_body() -> None:
    try:
        choices = history_filters.choose_filters(queries.config())
    except UsageError as error:
        page.show_error(error)
        st.button("Clear filters", key="history_clear_invalid", on_click=history_filters.clear_filters)
        return
    page.refresh_every(5 if choices.is_live else None, lambda: _show_results(choices))


def _show_results(choices: HistoryChoices) -> None:
    before = _parse_cursor(st.query_params.get("before", ""))
    found = prediction_queries.logged_predictions(choices.query, limit=_PAGE_SIZE, before=before)
    count = prediction_queries.count_logged_predictions(choices.query, max_count=_MAX_COUNT)
    if not found.predictions and found.older is None:
        _show_empty(choices)
        return
    left, right = st.columns([5, 2], vertical_alignment="center")
    left.caption(_count_text(count))
    with right.popover("Export and share", icon=":material/download:", width="stretch"):
        _export_menu(choices, count)
    _show_grid(found, choices)
    _show_paging(found, is_first=before is None)


def _count_text(count: PredictionCount) -> str:
    text = f"{_MAX_COUNT:,}+ predictions" if count.n >= _MAX_COUNT else pluralize(count.n, "prediction")
    if count.searched_since is not None:
        since = timestamp(count.searched_since, page.user_time_zone())
        return f"{text} since {since}, among the newest of this range; **Older** searches the ones before."
    return f"{text}. Select a row to open it."


def _show_empty(choices: HistoryChoices) -> None:
    if choices.is_filtered:
        page.empty_state("No predictions match these filters", "Clear filters, or select a longer time range.")
        st.button("Clear filters", key="history_clear_empty", on_click=history_filters.clear_filters)
    else:
        page.empty_state(
            "No predictions in this time range",
            "Select a longer time range, or make a prediction on the page Predict and log it. The log keeps predictions"
            f" for {queries.config().serving.log.retention_days} days; Monitoring counts older ones, too.",
        )


def _export_menu(choices: HistoryChoices, count: PredictionCount) -> None:
    limit = prediction_queries.MAX_EXPORTED
    st.caption(
        f"The newest {limit:,} predictions of these filters at most; select a range for older ones."
        if count.n >= _MAX_COUNT or count.searched_since is not None
        else f"All {pluralize(count.n, 'prediction')} of these filters."
    )
    for label, file_format, kind in (("CSV", "csv", "text/csv"), ("JSON Lines", "jsonl", "application/jsonl")):
        st.download_button(
            f"Download {label}",
            partial(prediction_queries.export_predictions, choices.query, file_format),
            f"predictions.{file_format}",
            kind,
            key=f"history_export_{file_format}",
            icon=":material/download:",
            on_click="ignore",
        )
    st.caption("Link to these filters")
    st.code(_page_link(), language=None, wrap_lines=True)


def _page_link() -> str:
    given = {name: st.query_params.get_all(name) for name in st.query_params}
    parameters: dict[str, Any] = {name: values for name, values in given.items() if values not in _DEFAULT_VALUES}
    return links.page_address(f"{(st.context.url or '').partition('?')[0]}", **parameters)


def _show_grid(found: PredictionPage, choices: HistoryChoices) -> None:
    table = pd.DataFrame([_table_row(prediction, choices) for prediction in found.predictions])
    selected = page.show_grid(
        table,
        column_config={
            "Time": st.column_config.TextColumn(pinned=True, width=190, **_time_help()),
            "Prediction ID": st.column_config.TextColumn(width=110),
            "Confidence": st.column_config.NumberColumn(format="percent"),
            "Latency (ms)": st.column_config.NumberColumn(format="%.2f"),
        },
        on_select="rerun",
        selection_mode="single-row",
        key="history_rows",
    )
    opened = [found.predictions[at] for at in selected.selection.rows if at < len(found.predictions)]
    if opened:
        st.query_params["prediction_id"] = opened[0].prediction_id
        st.rerun(scope="app")


def _time_help() -> dict[str, Any]:
    return {"help": f"Your time zone: {page.time_zone_label()}"}


def _table_row(prediction: LoggedPrediction, choices: HistoryChoices) -> dict[str, object]:
    features = {choices.labels.label(name): _cell(value) for name, value in prediction.features.items()}
    return {
        "Time": timestamp(prediction.predicted_at, page.user_time_zone(), with_milliseconds=True),
        "Prediction ID": prediction.prediction_id,
        "Prediction": prediction.prediction,
        "Confidence": prediction.confidence,
        "Outcome": prediction.outcome or "",
        "Correct": _MARKS[prediction.is_right],
        "Version": prediction.version,
        **features,
        "Source": prediction.source,
        "Latency (ms)": prediction.latency_us / 1000 if prediction.latency_us else None,
    }


def _cell(value: Any) -> Any:
    """Return a number as it is, so that the grid aligns and sorts it, and another value as text."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number or value is None else formatting.table_cell_text(value)


def _show_paging(found: PredictionPage, *, is_first: bool) -> None:
    with st.container(horizontal=True):
        if not is_first:
            st.button("Newest", key="history_newest", icon=":material/first_page:", on_click=_go_to, args=(None,))
        if found.older is not None:
            st.button(
                "Older", key="history_older", icon=":material/chevron_right:", on_click=_go_to, args=(found.older,)
            )


def _go_to(cursor: PredictionCursor | None) -> None:
    if cursor is None:
        st.query_params.pop("before", None)
    else:
        st.query_params["before"] = f"{cursor.predicted_at}.{cursor.seq}"


def _parse_cursor(text: str) -> PredictionCursor | None:
    found = _CURSOR.fullmatch(text)
    return PredictionCursor(int(found[1]), int(found[2])) if found else None
