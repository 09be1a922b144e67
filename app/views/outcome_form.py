"""Say what became true of one prediction."""

from __future__ import annotations

import streamlit as st

from app import formatting, page, queries
from pipeline.errors import MlopsError

__all__ = ["show_outcome_form"]


def show_outcome_form(prediction_id: str, classes: tuple[str, ...], *, recorded_outcome: str | None = None) -> None:
    """Show a button for each class; the one that is pressed is kept as the outcome."""
    allowed, why_not = page.can_operate("feedback")
    if not allowed:
        st.caption(why_not)
        return
    said = (
        f"Until now: **{formatting.escape_markdown(recorded_outcome)}**."
        if recorded_outcome is not None
        else "Nobody has said yet."
    )
    st.markdown(f"What became true? {said}")
    chosen = st.pills(
        "What became true",
        classes,
        format_func=formatting.escape_markdown,
        key=f"outcome_{prediction_id}",
        label_visibility="collapsed",
    )
    if st.button("Keep it", key=f"keep_{prediction_id}", disabled=chosen is None, icon=":material/thumb_up:"):
        try:
            queries.engine().record_outcome(prediction_id, str(chosen))
        except MlopsError as error:
            page.show_error(error)
        else:
            st.success("Kept. It counts for the figures of live performance.")
