"""Predict the rows of a file: read strictly, all problems shown by line, answers as a table and as a download."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import access, charts, frame, words
from pipeline.words import counted

if TYPE_CHECKING:
    from pipeline.data.problems import Problem
    from pipeline.package import Package

__all__ = ["show"]

_ANSWERS = "batch_answers"
_DONE = "batch_done"
_SHOWN = 1000


def show(package: Package) -> None:
    """Show the uploader, then problems or rows, then answers."""
    given = st.file_uploader("A CSV or Parquet file", type=["csv", "parquet"], key="batch_file", help=_help(package))
    if given is None:
        st.download_button(
            "An example to fill in",
            _example(package),
            "example.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        return
    content = given.getvalue()
    found = access.scoring_rows(given.name, content, package.digest)
    if found.frame is None:
        _problems(words.short(given.name), found.problems)
        return
    n_rows = counted(len(found.frame), "row")
    st.markdown(f"**{n_rows}** of {words.plain(given.name)}, as declared.")
    frame.table(found.frame.head(20))
    mark = f"{package.digest}:{hashlib.sha256(content).hexdigest()}"
    if st.button(f"Predict {n_rows}", type="primary", icon=":material/play_arrow:", key="batch_predict"):
        st.session_state[_ANSWERS] = (mark, _predict(found.frame, package))
    if st.session_state.get("batch_cancel"):
        done, total = st.session_state.get(_DONE, (0, 0))
        st.info(
            f"Cancelled after {done:,} of {counted(total, 'row')}. Those answers stay in the log; see the page History."
        )
    kept = st.session_state.get(_ANSWERS)
    if kept is not None and kept[0] == mark:
        _answers(kept[1], package)


def _help(package: Package) -> str:
    needed = ", ".join(words.short(name) for name in package.schema.feature_names[:30])
    return f"UTF-8, with a header and the columns: {words.plain(needed)}"


def _example(package: Package) -> bytes:
    from app.fields import example_of

    row = {column.name: example_of(column) for column in package.schema.features}
    return pd.DataFrame([row]).to_csv(index=False).encode()


def _problems(name: str, problems: tuple[Problem, ...]) -> None:
    count = "the first 100 problems" if len(problems) >= 100 else counted(len(problems), "problem")
    st.error(f"{words.plain(name)} is refused for {count}; nothing was predicted.", icon=":material/error:")
    rows = [(one.line, one.column, one.rule, one.value, one.hint) for one in problems]
    frame.table(pd.DataFrame(rows, columns=["Line", "Column", "Rule", "Found", "What to do"]))


def _predict(rows: pd.DataFrame, package: Package) -> pd.DataFrame:
    """Return the answers to all rows, asked for in pieces of the size that the engine takes."""
    engine = access.engine()
    place = st.empty()
    with place.container():
        # A click starts the page anew, which ends this loop between two pieces.
        st.button("Cancel", key="batch_cancel", icon=":material/stop_circle:")
        progress = st.progress(0.0, "Predicting ...")
    parts = []
    for start in range(0, len(rows), engine.max_rows):
        piece = rows.iloc[start : start + engine.max_rows]
        found = engine.predict_columns({name: _values(piece[name]) for name in package.schema.feature_names})
        answered = {"prediction": found.predictions, "confidence": found.confidences}
        chances = {
            f"probability of {label}": [row[at] for row in found.probabilities]
            for at, label in enumerate(package.classes)
        }
        parts.append(pd.DataFrame({**answered, **chances, "prediction_id": found.prediction_ids}))
        done = min(start + engine.max_rows, len(rows))
        st.session_state[_DONE] = (done, len(rows))
        progress.progress(done / len(rows), f"{done:,} of {counted(len(rows), 'row')}")
    place.empty()
    return pd.concat([pd.concat(parts, ignore_index=True), rows.reset_index(drop=True)], axis=1)


def _values(column: pd.Series) -> list[Any]:
    """Return plain values, None where one is missing; moments as text."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return [None if pd.isna(one) else one.isoformat() for one in column]
    return [None if pd.isna(one) else one for one in column.astype("object").tolist()]


def _answers(found: pd.DataFrame, package: Package) -> None:
    left, right = st.columns([2, 3])
    by_class = found["prediction"].value_counts().reindex(package.classes, fill_value=0)
    with left:
        shares = pd.DataFrame(
            {"name": [words.short(one) for one in by_class.index], "share": by_class.to_numpy() / len(found)}
        )
        frame.chart(charts.shares(shares, title="Share of the answers"), alt="Share of the answers by class")
    with right:
        st.metric("Mean confidence", f"{found['confidence'].mean():.1%}", border=True)
        st.download_button(
            "Download all answers",
            lambda: found.to_csv(index=False).encode(),
            "predictions.csv",
            "text/csv",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )
    percent = {
        name: st.column_config.NumberColumn(format="percent")
        for name in found.columns
        if name.startswith("probability of ")
    }
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    frame.table(found.head(_SHOWN), column_config={**percent, "confidence": share})
    if len(found) > _SHOWN:
        st.caption(f"The first {_SHOWN:,} of {len(found):,}; the download has all.")
