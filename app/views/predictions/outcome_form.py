"""The form that records the outcome of one prediction."""

from __future__ import annotations

import streamlit as st

from pipeline.errors import MlopsError

from ... import formatting, page, queries

__all__ = ["show_outcome_form"]


def show_outcome_form(prediction_id: str, classes: tuple[str, ...], *, recorded_outcome: str | None) -> None:
    """Show the recorded outcome and a button for each class; store the selected one, and run the page again."""
    is_allowed, reason = page.can_operate("feedback")
    if not is_allowed:
        st.caption(reason)
        return
    outcome = f"**{formatting.escape_markdown(recorded_outcome)}**" if recorded_outcome is not None else "not recorded"
    st.markdown(f"Actual outcome: {outcome}")
    selected = st.pills(
        "Actual outcome",
        classes,
        format_func=formatting.escape_markdown,
        key=f"outcome_{prediction_id}",
        label_visibility="collapsed",
    )
    is_saved = st.button("Save", key=f"save_{prediction_id}", disabled=selected is None, icon=":material/save:")
    if is_saved:
        try:
            queries.engine().record_outcome(prediction_id, str(selected), user=queries.current_user().id)
        except MlopsError as error:
            page.show_error(error)
            return
        st.toast("Outcome saved; it counts toward live performance.", icon=":material/check:")
        st.rerun()
