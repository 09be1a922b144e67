"""Predict the rows of a file: read strictly, all problems shown by line, answers as a table and as a download."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import charts, formatting, page, queries
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from pipeline.data.input_problems import InputProblem
    from pipeline.package import Package

__all__ = ["show_batch_predict"]

_PREDICTIONS_KEY = "batch_answers"
_PROGRESS_KEY = "batch_done"
_MAX_TABLE_ROWS = 1000


def show_batch_predict(package: Package) -> None:
    """Show the uploader, then problems or rows, then answers."""
    given = st.file_uploader(
        "A CSV or Parquet file", type=["csv", "parquet"], key="batch_file", help=_upload_help(package)
    )
    if given is None:
        st.download_button(
            "An example to fill in",
            _csv_template(package),
            "example.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        return
    content = given.getvalue()
    found = queries.scoring_rows(given.name, content, package.digest)
    if found.frame is None:
        _show_problems(formatting.shorten(given.name), found.problems)
        return
    n_rows = pluralize(len(found.frame), "row")
    st.markdown(f"**{n_rows}** of {formatting.escape_markdown(given.name)}, as declared.")
    page.show_table(found.frame.head(20))
    mark = f"{package.digest}:{hashlib.sha256(content).hexdigest()}"
    if st.button(f"Predict {n_rows}", type="primary", icon=":material/play_arrow:", key="batch_predict"):
        st.session_state[_PREDICTIONS_KEY] = (mark, _predict_rows(found.frame, package))
    if st.session_state.get("batch_cancel"):
        done, total = st.session_state.get(_PROGRESS_KEY, (0, 0))
        st.info(
            f"Cancelled after {done:,} of {pluralize(total, 'row')}. Those answers stay in the log; see the page History."
        )
    kept = st.session_state.get(_PREDICTIONS_KEY)
    if kept is not None and kept[0] == mark:
        _show_predictions(kept[1], package)


def _upload_help(package: Package) -> str:
    needed = ", ".join(formatting.shorten(name) for name in package.schema.feature_names[:30])
    return f"UTF-8, with a header and the columns: {formatting.escape_markdown(needed)}"


def _csv_template(package: Package) -> bytes:
    from app.form_fields import example_value

    row = {column.name: example_value(column) for column in package.schema.features}
    return pd.DataFrame([row]).to_csv(index=False).encode()


def _show_problems(name: str, problems: tuple[InputProblem, ...]) -> None:
    count = "the first 100 problems" if len(problems) >= 100 else pluralize(len(problems), "problem")
    st.error(
        f"{formatting.escape_markdown(name)} is refused for {count}; nothing was predicted.", icon=":material/error:"
    )
    rows = [(one.line, one.column, one.rule, one.value, one.hint) for one in problems]
    page.show_table(pd.DataFrame(rows, columns=["Line", "Column", "Rule", "Found", "What to do"]))


def _predict_rows(rows: pd.DataFrame, package: Package) -> pd.DataFrame:
    """Return the answers to all rows, asked for in pieces of the size that the engine takes."""
    engine = queries.engine()
    place = st.empty()
    with place.container():
        # A click starts the page anew, which ends this loop between two pieces.
        st.button("Cancel", key="batch_cancel", icon=":material/stop_circle:")
        progress = st.progress(0.0, "Predicting ...")
    parts = []
    for start in range(0, len(rows), engine.max_rows):
        piece = rows.iloc[start : start + engine.max_rows]
        found = engine.predict_columns({name: _plain_values(piece[name]) for name in package.schema.feature_names})
        answered = {"prediction": found.predictions, "confidence": found.confidences}
        chances = {
            f"probability of {label}": [row[at] for row in found.probabilities]
            for at, label in enumerate(package.classes)
        }
        parts.append(pd.DataFrame({**answered, **chances, "prediction_id": found.prediction_ids}))
        done = min(start + engine.max_rows, len(rows))
        st.session_state[_PROGRESS_KEY] = (done, len(rows))
        progress.progress(done / len(rows), f"{done:,} of {pluralize(len(rows), 'row')}")
    place.empty()
    return pd.concat([pd.concat(parts, ignore_index=True), rows.reset_index(drop=True)], axis=1)


def _plain_values(column: pd.Series) -> list[Any]:
    """Return plain values, None where one is missing; moments as text."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return [None if pd.isna(one) else one.isoformat() for one in column]
    return [None if pd.isna(one) else one for one in column.astype("object").tolist()]


def _show_predictions(found: pd.DataFrame, package: Package) -> None:
    left, right = st.columns([2, 3])
    by_class = found["prediction"].value_counts().reindex(package.classes, fill_value=0)
    with left:
        shares = pd.DataFrame(
            {"name": [formatting.shorten(one) for one in by_class.index], "share": by_class.to_numpy() / len(found)}
        )
        page.show_chart(charts.share_bars(shares, title="Share of the answers"), alt="Share of the answers by class")
    with right:
        st.metric("Mean confidence", percent(found["confidence"].mean()), border=True)
        st.download_button(
            "Download all answers",
            lambda: found.to_csv(index=False).encode(),
            "predictions.csv",
            "text/csv",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )
    percent_columns = {
        name: st.column_config.NumberColumn(format="percent")
        for name in found.columns
        if name.startswith("probability of ")
    }
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    page.show_table(found.head(_MAX_TABLE_ROWS), column_config={**percent_columns, "confidence": share})
    if len(found) > _MAX_TABLE_ROWS:
        st.caption(f"The first {_MAX_TABLE_ROWS:,} of {len(found):,}; the download has all.")
