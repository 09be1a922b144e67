"""The history page: search the prediction log and record outcomes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import address, formatting, page, queries
from app.views import outcome_form
from pipeline.state import PredictionQuery
from pipeline.text import percent, pluralize, timestamp

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from pipeline.state import LoggedPrediction

__all__ = ["render"]

_PAGE_SIZE = 50
_MAX_COUNT = 10_000
_PERIOD_LABELS = {"1h": "Last hour", "1d": "Last day", "7d": "Last week", "all": "All"}
_PERIOD_HOURS = {"1h": 1, "1d": 24, "7d": 168, "all": None}


def render() -> None:
    """Show the page."""
    page.render_page("History", "All logged predictions, newest first, with outcomes.", _render_body)


def _render_body() -> None:
    config = queries.config()
    search = _search_form(config.name, config.data.target.classes)
    is_live = st.toggle("Live", value=False, key="history_live", help="Refreshes every 5 seconds", bind="query-params")
    page.refresh_every(5 if is_live else None, lambda: _show_results(search, config.data.target.classes))


def _search_form(model: str, classes: tuple[str, ...]) -> PredictionQuery:
    search_box, period_box, class_box, version_box, confidence_box = st.columns([3, 2, 2, 2, 3])
    text = search_box.text_input(
        "Search", key="history_text", placeholder="A value or a prediction ID", bind="query-params"
    )
    period = address.choose(
        period_box.selectbox,
        list(_PERIOD_LABELS),
        parameter="period",
        key="history_period",
        default="1d",
        format_func=_PERIOD_LABELS.__getitem__,
        label="Period",
    )
    label = address.choose(
        class_box.selectbox,
        ["", *classes],
        parameter="prediction",
        key="history_class",
        default="",
        format_func=lambda label: formatting.shorten(label) or "Any",
        label="Prediction",
    )
    number = _select_version(version_box, model)
    confidence = confidence_box.slider(
        "Confidence", 0, 100, (0, 100), format="%d %%", key="history_confidence", bind="query-params"
    )
    low, high = sorted(confidence)  # an address may name the ends in any order
    hours = _PERIOD_HOURS[period]
    return PredictionQuery(
        model,
        since=None if hours is None else page.now_us() - hours * 3_600_000_000,
        version=number or None,
        prediction=label or None,
        min_confidence=low / 100 if low > 0 else None,
        max_confidence=high / 100 if high < 100 else None,
        text=text.strip(),
    )


def _select_version(box: DeltaGenerator, model: str) -> int:
    """Return the selected version; 0 for any."""
    numbers = [version.version for version in queries.versions(model)]
    return address.choose(
        box.selectbox,
        [0, *reversed(numbers)],
        parameter="version",
        key="history_version",
        default=0,
        format_func=lambda number: str(number or "Any"),
        label="Version",
    )


def _show_results(search: PredictionQuery, classes: tuple[str, ...]) -> None:
    total = queries.count_logged_predictions(search, max_count=_MAX_COUNT)
    if not total:
        page.empty_state(
            "No predictions match these filters", "Clear filters, or make a prediction on the page Predict"
        )
        return
    st.caption(f"{total:,}+ predictions" if total >= _MAX_COUNT else pluralize(total, "prediction"))
    pages = math.ceil(total / _PAGE_SIZE)
    number = st.pagination(pages, key="history_page") if pages > 1 else 1
    rows = queries.logged_predictions(search, limit=_PAGE_SIZE, offset=(number - 1) * _PAGE_SIZE)
    table = pd.DataFrame([_prediction_row(prediction) for prediction in rows])
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    selected = page.show_grid(
        table,
        column_config={"Confidence": share, **page.time_columns("Time")},
        on_select="rerun",
        selection_mode="single-row",
        key="history_rows",
    )
    predictions = [rows[at] for at in selected.selection.rows if at < len(rows)]
    if predictions:
        _show_detail(predictions[0], classes)
    else:
        st.caption("Select a row to see details or record its outcome.")


def _prediction_row(prediction: LoggedPrediction) -> dict[str, object]:
    return {
        "Time": timestamp(prediction.predicted_at, page.user_time_zone()),
        "Prediction": prediction.prediction,
        "Confidence": prediction.confidence,
        "Outcome": prediction.outcome or "",
        "Version": prediction.version,
        **{name: formatting.table_cell_text(value) for name, value in prediction.features.items()},
        "Source": prediction.source,
        "Latency": f"{prediction.latency_us / 1000:.2f} ms" if prediction.latency_us else "-",
        "Prediction ID": prediction.prediction_id,
    }


def _show_detail(prediction: LoggedPrediction, classes: tuple[str, ...]) -> None:
    with st.container(border=True):
        st.markdown(
            f"**{formatting.escape_markdown(prediction.prediction)}**, confidence {percent(prediction.confidence)},"
            f" {page.timestamp(prediction.predicted_at)}, by version {prediction.version} ({prediction.variant})",
            help=formatting.escape_markdown(timestamp(prediction.predicted_at)),
        )
        left, right = st.columns(2)
        features = [(name, formatting.table_cell_text(value)) for name, value in prediction.features.items()]
        with left:
            page.show_table(pd.DataFrame(features, columns=["Feature", "Value"]))
        probabilities = [(name, percent(probability)) for name, probability in prediction.probabilities.items()]
        with right:
            page.show_table(pd.DataFrame(probabilities, columns=["Class", "Probability"]))
        outcome_form.show_outcome_form(prediction.prediction_id, classes, recorded_outcome=prediction.outcome)
