"""The forms that promote a version and roll back, with reason and confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import address, formatting, page, queries
from pipeline.errors import MlopsError
from pipeline.state import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.state import DeploymentChange, ModelVersion

__all__ = ["show_stage_actions"]

_RESULT_KEY = "promotion_result"
_GENERATION_KEY = "generation_seen"
_GATED_STAGES = ("Staging", "Production")


def show_stage_actions(version: ModelVersion, versions: list[ModelVersion]) -> None:
    """Show the forms of a version, and the result of the last one."""
    result = st.session_state.pop(_RESULT_KEY, None)
    generation = queries.current_deployment(version.model).generation
    if st.session_state.setdefault(_GENERATION_KEY, generation) != generation:
        st.warning(
            "Someone else changed the deployment; the page now shows the current state.", icon=":material/update:"
        )
    if result is not None:
        st.success(result, icon=":material/check_circle:")
    is_allowed, denied_reason = page.can_operate("operator")
    if not is_allowed:
        st.info(denied_reason, icon=":material/lock:")
        return
    with st.container(horizontal=True):
        with st.popover("Change stage", icon=":material/move_up:"):
            _promote_form(version)
        with st.popover("Roll back", icon=":material/undo:"):
            _rollback_form(version.model, versions)


def _promote_form(version: ModelVersion) -> None:
    st.markdown(
        f"**{formatting.escape_markdown(version.model)}**, version {version.version}: {page.stage_badge(version.stage)}"
    )
    key = f"promote_{version.version}"
    gates = version.tags.get("gates")
    has_passed = gates is not None and gates["verdict"] == "promote"
    stages = [stage for stage in reversed(STAGES) if stage != version.stage]
    default = stages.index("Production") if "Production" in stages else 0
    expected = _generation_seen(version.model)
    with st.form(f"{key}_form", border=False):
        stage = st.selectbox("New stage", stages, index=default, key=f"{key}_stage")
        reason = _reason_input(key)
        force = False
        if not has_passed:
            st.warning("Promotion to Staging or Production is blocked: gates failed.", icon=":material/warning:")
            force = st.checkbox("Override failed gates (recorded in the audit trail)", key=f"{key}_force")
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
                force=force and stage in _GATED_STAGES,  # gates do not apply to other stages
            ),
        )


def _reason_input(key: str) -> str:
    return st.text_area(
        "Reason (required)", key=f"{key}_reason", placeholder="Recorded in the audit trail", max_chars=1000
    )


def _rollback_form(model: str, versions: list[ModelVersion]) -> None:
    if len(versions) < 2:
        st.markdown("There is no earlier version.")
        return
    st.markdown(f"The previous production version of **{formatting.escape_markdown(model)}** replaces the current one.")
    expected = _generation_seen(model)
    with st.form("rollback_form", border=False):
        reason = _reason_input("rollback")
        is_confirmed = st.form_submit_button("Confirm", type="primary", key="rollback_confirm")
    if is_confirmed:
        _apply_change(
            reason, lambda: queries.registry().rollback_model(model, reason=reason, expected_generation=expected)
        )


def _generation_seen(model: str) -> int:
    """Return the generation that the user saw; a change based on an older one is refused."""
    generation: int = st.session_state.setdefault(_GENERATION_KEY, queries.current_deployment(model).generation)
    return generation


def _apply_change(reason: str, make_change: Callable[[], DeploymentChange]) -> None:
    """Make the change and rerun the page; without a reason, or on an error, show a message in the form."""
    if not reason.strip():
        st.error("Enter a reason; the audit trail records it.", icon=":material/edit_note:")
        return
    try:
        change = make_change()
    except MlopsError as error:
        st.session_state.pop(_GENERATION_KEY, None)
        page.show_error(error)
        return
    st.session_state.pop(_GENERATION_KEY, None)
    stages = ", ".join(f"{stage} is version {number}" for stage, number in sorted(change.after.versions.items()))
    st.session_state[_RESULT_KEY] = f"Done: {stages or 'no version deployed'} (generation {change.after.generation})."
    address.forget(parameter="version", key="models_version")  # the page then shows the version in Production
    st.rerun()
