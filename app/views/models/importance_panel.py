"""The panel of importance over time: the share of each feature by window of labeled rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pipeline.monitoring.importance import importance_history
from pipeline.text import pluralize

from ... import formatting, page, queries
from ...page_charts import model_charts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.monitoring.importance import ImportanceHistory, ImportanceWindow
    from pipeline.state import ModelVersion

__all__ = ["show_importance"]

_MAX_FEATURES = 7  # as many as there are distinct colors


def show_importance(version: ModelVersion) -> None:
    """Show how much each feature matters on labeled rows of the log, compared with the test rows."""
    package = queries.load_package(version.digest)
    history = importance_history(queries.state(), version.model, package, config=queries.config().monitoring)
    if not history.windows:
        page.empty_state(
            "Importance was not measured on live rows yet",
            "the loop measures it as soon as a window has enough outcomes: `mlops loop`",
        )
        return
    titles = {column.name: column.label for column in package.schema.columns}
    changed = ", ".join(formatting.escape_markdown(titles.get(name, name)) for name in history.changed_features)
    st.markdown(
        f":orange-badge[changed] In the last window, the importance of {changed} differs from that on test rows."
        if changed
        else ":green-badge[stable] In the last window, no importance differs significantly from that on test rows."
    )
    names = sorted(history.windows[-1].shares, key=lambda name: -history.windows[-1].shares[name])[:_MAX_FEATURES]
    frame = _share_rows(history, names, titles)
    chart = model_charts.importance_over_time(frame, [titles.get(name, name) for name in names])
    page.show_chart(chart, alt="Share of each feature in the importance, by window of labeled rows")
    st.caption(
        f"Permutation importance on {pluralize(len(history.windows), 'window')} of labeled rows; a large dot marks a"
        " significant change against the test rows of the package."
    )
    with st.expander("Contribution to predictions"):
        contributions = _contribution_rows(history, names, titles)
        chart = model_charts.importance_over_time(contributions, [titles.get(name, name) for name in names])
        page.show_chart(chart, alt="Share of each feature in the contributions to predictions, by window")
        st.caption("How far a prediction moves when the feature is redrawn; it needs no outcome, and is not tested.")


def _share_rows(history: ImportanceHistory, names: list[str], titles: Mapping[str, str]) -> pd.DataFrame:
    rows = [
        {
            **_window_values(window, titles.get(name, name)),
            "share": window.shares[name],
            "reference": history.reference_shares.get(name),
            "is_changed": name in window.changed_features,
        }
        for window in history.windows
        for name in names
        if name in window.shares
    ]
    return pd.DataFrame(rows)


def _contribution_rows(history: ImportanceHistory, names: list[str], titles: Mapping[str, str]) -> pd.DataFrame:
    rows = [
        {
            **_window_values(window, titles.get(name, name)),
            "share": window.contributions[name] / (sum(window.contributions.values()) or 1.0),
            "reference": None,
            "is_changed": False,
        }
        for window in history.windows
        for name in names
        if name in window.contributions
    ]
    return pd.DataFrame(rows, columns=["at", "name", "rows", "share", "reference", "is_changed"])


def _window_values(window: ImportanceWindow, title: str) -> dict[str, object]:
    at = pd.Timestamp(window.since).tz_convert(page.user_time_zone()).tz_localize(None)
    return {"at": at, "name": title, "rows": window.n_rows}
