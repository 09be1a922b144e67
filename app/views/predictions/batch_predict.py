"""The file tab of the predict page: validate a file, predict its rows, download the predictions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.config.file_formats import COMPRESSION_SUFFIXES, FORMAT_SUFFIXES
from pipeline.text import percent, pluralize

from ... import charts, formatting, page, queries

if TYPE_CHECKING:
    from pipeline.data.input_problems import InputProblem
    from pipeline.package import Package
    from pipeline.schema import Column

__all__ = ["show_batch_predict"]

_PREDICTIONS_KEY = "batch_predictions"
_PROGRESS_KEY = "batch_progress"
_MAX_TABLE_ROWS = 1000
# A database holds tables of its own; it is no file of rows to upload.
_FORMATS = [
    suffix for kind, suffixes in FORMAT_SUFFIXES.items() if kind not in ("sqlite", "duckdb") for suffix in suffixes
]
_UPLOAD_SUFFIXES = [suffix.removeprefix(".") for suffix in (*_FORMATS, *COMPRESSION_SUFFIXES)]


def show_batch_predict(package: Package, *, is_logged: bool) -> None:
    """Show the uploader, then errors or rows, then predictions, which are logged with `is_logged`."""
    upload = st.file_uploader(
        "A file of rows: CSV, JSON, Parquet, Arrow or Excel",
        type=_UPLOAD_SUFFIXES,
        key="batch_file",
        help=_upload_help(package),
    )
    if upload is None:
        st.download_button(
            "Download template",
            _csv_template(package),
            "template.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        return
    content = upload.getvalue()
    rows = queries.scoring_rows(upload.name, content, package.digest)
    if rows.frame is None:
        _show_problems(formatting.shorten(upload.name), rows.problems)
        return
    n_rows = pluralize(len(rows.frame), "row")
    st.markdown(f"{formatting.escape_markdown(upload.name)}: **{n_rows}**, all valid")
    page.show_grid(rows.frame.head(20))
    key = f"{package.digest}:{hashlib.sha256(content).hexdigest()}"
    if st.button(f"Predict {n_rows}", type="primary", icon=":material/play_arrow:", key="batch_predict"):
        st.session_state[_PREDICTIONS_KEY] = (key, _predict_rows(rows.frame, package, is_logged=is_logged))
    if st.session_state.get("batch_cancel"):
        n_done, n_total = st.session_state.get(_PROGRESS_KEY, (0, 0))
        logged = " Their predictions are logged; see the page History." if is_logged else ""
        st.info(f"Canceled after {n_done:,} of {pluralize(n_total, 'row')}.{logged}")
    stored = st.session_state.get(_PREDICTIONS_KEY)
    if stored is not None and stored[0] == key:
        _show_predictions(stored[1], package)


def _upload_help(package: Package) -> str:
    names = ", ".join(formatting.shorten(name) for name in package.schema.feature_names[:30])
    return f"UTF-8, with a header and one column for each feature: {formatting.escape_markdown(names)}"


def _csv_template(package: Package) -> bytes:
    from .form_fields import example_value

    row = {column.name: example_value(column) for column in package.schema.features}
    return pd.DataFrame([row]).to_csv(index=False).encode()


def _show_problems(name: str, problems: tuple[InputProblem, ...]) -> None:
    count = "100 or more errors" if len(problems) >= 100 else pluralize(len(problems), "error")
    st.error(f"{formatting.escape_markdown(name)}: {count}; no prediction was made.", icon=":material/error:")
    rows = [(problem.line, problem.column, problem.rule, problem.value, problem.hint) for problem in problems]
    page.show_table(pd.DataFrame(rows, columns=["Line", "Column", "Rule", "Value", "Fix"]))


def _predict_rows(rows: pd.DataFrame, package: Package, *, is_logged: bool) -> pd.DataFrame:
    """Return the predictions of all rows, in batches of the size that the engine accepts.

    Only logged predictions have identifiers.
    """
    engine = queries.engine()
    placeholder = st.empty()
    with placeholder.container():
        # A click reruns the page, which ends this loop between two batches.
        st.button("Cancel", key="batch_cancel", icon=":material/stop_circle:")
        progress = st.progress(0.0, "Predicting ...")
    parts = []
    for start in range(0, len(rows), engine.max_rows):
        chunk = rows.iloc[start : start + engine.max_rows]
        columns = {column.name: _plain_values(column, chunk[column.name]) for column in package.schema.features}
        batch = engine.predict_columns(columns, is_logged=is_logged)
        predictions = {"prediction": batch.predictions, "confidence": batch.confidences}
        probabilities = {
            f"probability of {label}": [row[at] for row in batch.probabilities]
            for at, label in enumerate(package.classes)
        }
        ids = {"prediction_id": batch.prediction_ids} if is_logged else {}
        parts.append(pd.DataFrame({**predictions, **probabilities, "warnings": batch.warnings, **ids}))
        n_done = min(start + engine.max_rows, len(rows))
        st.session_state[_PROGRESS_KEY] = (n_done, len(rows))
        progress.progress(n_done / len(rows), f"{n_done:,} of {pluralize(len(rows), 'row')}")
    placeholder.empty()
    return pd.concat([pd.concat(parts, ignore_index=True), rows.reset_index(drop=True)], axis=1)


def _plain_values(column: Column, values: pd.Series) -> list[Any]:
    """Return plain values, None for missing ones; timestamps as text."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return [None if pd.isna(value) else column.to_request_value(value) for value in values]
    return [None if pd.isna(value) else value for value in values.astype("object").tolist()]


def _show_predictions(predictions: pd.DataFrame, package: Package) -> None:
    left, right = st.columns([2, 3])
    by_class = predictions["prediction"].value_counts().reindex(package.classes, fill_value=0)
    with left:
        shares = pd.DataFrame(
            {
                "name": [formatting.shorten(name) for name in by_class.index],
                "share": by_class.to_numpy() / len(predictions),
            }
        )
        page.show_chart(charts.share_bars(shares, title="Share of predictions"), alt="Share of predictions by class")
    with right:
        st.metric("Mean confidence", percent(predictions["confidence"].mean()), border=True)
        n_warned = int((predictions["warnings"] != "").sum())
        if n_warned:
            st.caption(f"{n_warned:,} of {pluralize(len(predictions), 'row')} have warnings; see the column warnings.")
        st.download_button(
            "Download all predictions",
            lambda: predictions.to_csv(index=False).encode(),
            "predictions.csv",
            "text/csv",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )
    percent_columns = {
        name: st.column_config.NumberColumn(format="percent")
        for name in predictions.columns
        if name.startswith("probability of ")
    }
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    page.show_grid(predictions.head(_MAX_TABLE_ROWS), column_config={**percent_columns, "confidence": share})
    if len(predictions) > _MAX_TABLE_ROWS:
        st.caption(f"First {_MAX_TABLE_ROWS:,} of {len(predictions):,} rows; the download has all.")
