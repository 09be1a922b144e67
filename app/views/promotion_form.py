"""Promote and roll back with a reason and a confirmation; the registry decides, as it does for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import formatting, page, queries
from pipeline.errors import MlopsError
from pipeline.state import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.state import DeploymentChange, ModelVersion

__all__ = ["show_stage_actions"]

_RESULT_KEY = "decided"
_GENERATION_KEY = "generation_seen"
_GATED_STAGES = ("Staging", "Production")


def show_stage_actions(version: ModelVersion, versions: list[ModelVersion]) -> None:
    """Show what can be decided about a version, and what was decided last from here."""
    said = st.session_state.pop(_RESULT_KEY, None)
    now = queries.current_deployment(version.model).generation
    if st.session_state.setdefault(_GENERATION_KEY, now) != now:
        st.warning("Somebody decided in the meantime; what you see is as it is now.", icon=":material/update:")
    if said is not None:
        st.success(said, icon=":material/check_circle:")
    allowed, why_not = page.can_operate("operator")
    if not allowed:
        st.info(why_not, icon=":material/lock:")
        return
    with st.container(horizontal=True):
        with st.popover("Move to another stage", icon=":material/move_up:"):
            _promote_form(version)
        with st.popover("Roll back", icon=":material/undo:"):
            _rollback_form(version.model, versions)


def _promote_form(version: ModelVersion) -> None:
    st.markdown(
        f"**{formatting.escape_markdown(version.model)}**, version {version.version}, is in {page.stage_badge(version.stage)}"
    )
    key = f"promote_{version.version}"
    gates = version.tags.get("gates")
    passed = gates is not None and gates["verdict"] == "promote"
    others = [stage for stage in reversed(STAGES) if stage != version.stage]
    likely = others.index("Production") if "Production" in others else 0
    expected = _generation_seen(version.model)
    with st.form(f"{key}_form", border=False):
        stage = st.selectbox("To", others, index=likely, key=f"{key}_stage")
        reason = _reason_input(key)
        force = False
        if not passed:
            st.warning(
                "Its gates did not let this version through to Staging or Production.", icon=":material/warning:"
            )
            force = st.checkbox("Go past the gates; the audit trail will say so", key=f"{key}_force")
        is_confirmed = st.form_submit_button("Confirm", type="primary", key=f"{key}_confirm")
    if is_confirmed:
        _apply_change(
            reason,
            lambda: queries.registry().promote_model(
                version.model,
                version.version,
                str(stage),
                reason=reason,
                expected_generation=expected,
                force=force and stage in _GATED_STAGES,  # of other stages gates say nothing, and nobody goes past them
            ),
        )


def _reason_input(key: str) -> str:
    return st.text_area("Why", key=f"{key}_reason", placeholder="Kept in the audit trail", max_chars=1000)


def _rollback_form(model: str, versions: list[ModelVersion]) -> None:
    if len(versions) < 2:
        st.markdown("There is only one version: nothing served before it.")
        return
    st.markdown(
        f"The version that served before takes the place of the present one in **{formatting.escape_markdown(model)}**."
    )
    expected = _generation_seen(model)
    with st.form("rollback_form", border=False):
        reason = _reason_input("rollback")
        is_confirmed = st.form_submit_button("Confirm", type="primary", key="rollback_confirm")
    if is_confirmed:
        _apply_change(
            reason, lambda: queries.registry().rollback_model(model, reason=reason, expected_generation=expected)
        )


def _generation_seen(model: str) -> int:
    """Return the generation that the reader saw last; whoever decides decides on that one, and not on a newer one."""
    shown: int = st.session_state.setdefault(_GENERATION_KEY, queries.current_deployment(model).generation)
    return shown


def _apply_change(reason: str, act: Callable[[], DeploymentChange]) -> None:
    """Act where a reason is given, and load the page anew; what was refused stays in the dialog with its reason."""
    if not reason.strip():
        st.error("Say why: the reason is kept in the audit trail.", icon=":material/edit_note:")
        return
    try:
        change = act()
    except MlopsError as error:
        st.session_state.pop(_GENERATION_KEY, None)
        page.show_error(error)
        return
    st.session_state.pop(_GENERATION_KEY, None)
    served = ", ".join(f"{stage} is version {number}" for stage, number in sorted(change.after.versions.items()))
    st.session_state[_RESULT_KEY] = f"Done: {served or 'nothing serves'} (generation {change.after.generation})."
    st.rerun()
