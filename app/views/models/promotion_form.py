"""The forms that promote a version and roll back, with reason and confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pipeline.errors import MlopsError
from pipeline.registry import find_previous_production
from pipeline.state import STAGES

from ... import address, formatting, page, queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.state import DeploymentChange, ModelVersion

__all__ = ["show_decision", "show_stage_actions"]

_RESULT_KEY = "promotion_result"
_GENERATION_KEY = "generation_seen"
_GATED_STAGES = ("Staging", "Production")


def show_stage_actions(version: ModelVersion, versions: list[ModelVersion]) -> None:
    """Show the forms of a version behind two buttons, and the result of the last one."""
    if not _show_result(version.model):
        return
    with st.container(horizontal=True):
        with st.popover("Change stage", icon=":material/move_up:", key=_form_key("change_stage", version.model)):
            _promote_form(version)
        with st.popover("Roll back", icon=":material/undo:", key=_form_key("roll_back", version.model)):
            _rollback_form(version.model, versions)


def show_decision(candidate: ModelVersion, versions: list[ModelVersion]) -> None:
    """Show one form that promotes the candidate to Production or rolls Production back, and the result of the last."""
    st.markdown("**Decide**")
    if not _show_result(candidate.model):
        return
    production = next((version for version in versions if version.stage == "Production"), None)
    previous = None if production is None else _previous_production(production)
    is_live = f"version {production.version} is in Production" if production else "no version is in Production"
    expected, key = _generation_seen(candidate.model), _form_key(f"decide_{candidate.version}", candidate.model)
    with st.form(f"{key}_form", border=False):
        reason = _reason_input(key, height=70)
        force = _override_box(candidate, key)
        with st.container(horizontal=True):
            promotes = st.form_submit_button(
                f"Promote version {candidate.version}",
                type="primary",
                icon=":material/move_up:",
                key=f"{key}_promote",
                disabled=candidate.stage == "Production",
            )
            rolls_back = st.form_submit_button(
                f"Roll back to version {previous}" if previous else "Roll back",
                icon=":material/undo:",
                key=f"{key}_rollback",
                disabled=previous is None,
            )
        st.caption(f"Now {is_live}." + ("" if previous else " There is no earlier version to roll back to."))
    if promotes:
        _apply_change(reason, _promotion(candidate, "Production", reason, expected=expected, force=force))
    elif rolls_back:
        _apply_change(reason, _rollback(candidate.model, reason, expected=expected))


def _previous_production(production: ModelVersion) -> int | None:
    entries = list(reversed(queries.audit_entries(production.model)))
    return find_previous_production(entries, production.version)


def _show_result(model: str) -> bool:
    """Show the result of the last change; return whether the user may make another one."""
    result = st.session_state.pop(_RESULT_KEY, None)
    generation = queries.current_deployment(model).generation
    if st.session_state.setdefault(_GENERATION_KEY, generation) != generation:
        st.warning(
            "Someone else changed the deployment; the page now shows the current state.", icon=":material/update:"
        )
    if result is not None:
        st.success(result, icon=":material/check_circle:")
    is_allowed, denied_reason = page.can_operate("operator")
    if not is_allowed:
        st.info(denied_reason, icon=":material/lock:")
    return is_allowed


def _promote_form(version: ModelVersion) -> None:
    st.markdown(
        f"**{formatting.escape_markdown(version.model)}**, version {version.version}: {page.stage_badge(version.stage)}"
    )
    key = _form_key(f"promote_{version.version}", version.model)
    stages = [stage for stage in reversed(STAGES) if stage != version.stage]
    default = stages.index("Production") if "Production" in stages else 0
    expected = _generation_seen(version.model)
    with st.form(f"{key}_form", border=False):
        stage = st.selectbox("New stage", stages, index=default, key=f"{key}_stage")
        reason = _reason_input(key)
        force = _override_box(version, key)
        is_confirmed = st.form_submit_button("Confirm", type="primary", key=f"{key}_confirm")
    if is_confirmed:
        _apply_change(reason, _promotion(version, str(stage), reason, expected=expected, force=force))


def _override_box(version: ModelVersion, key: str) -> bool:
    """Show that the gates of a version did not pass, with the choice to override them; return the choice."""
    gates = version.tags.get("gates")
    if gates is not None and gates["verdict"] == "promote":
        return False
    failed = [gate["name"] for gate in (gates or {}).get("gates", ()) if gate["result"] != "pass"]
    why = "its gates were never evaluated" if gates is None else f"it did not pass {', '.join(failed)}"
    text = f"Version {version.version} cannot be promoted without an override: {why}."
    st.warning(formatting.message_markdown(text), icon=":material/warning:")
    return st.checkbox("Override failed gates (recorded in the audit trail)", key=f"{key}_force")


def _promotion(
    version: ModelVersion, stage: str, reason: str, *, expected: int, force: bool
) -> Callable[[], DeploymentChange]:
    return lambda: queries.registry().promote_model(
        version.model,
        version.version,
        stage,
        reason=reason,
        expected_generation=expected,
        force=force and stage in _GATED_STAGES,  # gates do not apply to other stages
    )


def _rollback(model: str, reason: str, *, expected: int) -> Callable[[], DeploymentChange]:
    return lambda: queries.registry().rollback_model(model, reason=reason, expected_generation=expected)


def _reason_input(key: str, *, height: int | None = None) -> str:
    return st.text_area(
        "Reason (required)",
        key=f"{key}_reason",
        placeholder="Recorded in the audit trail",
        max_chars=1000,
        height=height,
    )


def _rollback_form(model: str, versions: list[ModelVersion]) -> None:
    if len(versions) < 2:
        st.markdown("There is no earlier version.")
        return
    st.markdown(f"The previous production version of **{formatting.escape_markdown(model)}** replaces the current one.")
    expected, key = _generation_seen(model), _form_key("rollback", model)
    with st.form(f"{key}_form", border=False):
        reason = _reason_input(key)
        is_confirmed = st.form_submit_button("Confirm", type="primary", key=f"{key}_confirm")
    if is_confirmed:
        _apply_change(reason, _rollback(model, reason, expected=expected))


def _generation_seen(model: str) -> int:
    """Return the generation that the user saw; a change based on an older one is refused."""
    generation: int = st.session_state.setdefault(_GENERATION_KEY, queries.current_deployment(model).generation)
    return generation


def _form_key(name: str, model: str) -> str:
    """Return a key that changes with each decision, so that its form is empty and closed afterwards."""
    return f"{name}_at_{_generation_seen(model)}"


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
