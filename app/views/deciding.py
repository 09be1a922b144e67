"""Promote and roll back with a reason and a confirmation; the registry decides, as it does for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import access, frame, words
from pipeline.errors import MlopsError
from pipeline.state import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.state import Change, Version

__all__ = ["buttons"]

_SAID = "decided"


def buttons(version: Version, versions: list[Version]) -> None:
    """Show what can be decided about a version, and what was decided last from here."""
    said = st.session_state.pop(_SAID, None)
    if said is not None:
        st.success(said, icon=":material/check_circle:")
    allowed, why_not = frame.may_act()
    if not allowed:
        st.info(why_not, icon=":material/lock:")
        return
    with st.container(horizontal=True):
        if st.button("Move to another stage", icon=":material/move_up:", key="promote"):
            _promote(version)
        has_served = any(one.stage == "Production" for one in versions) and len(versions) > 1
        if st.button(
            "Roll back",
            icon=":material/undo:",
            key="rollback",
            disabled=not has_served,
            help="Puts the version back that served before" if has_served else "Nothing served before",
        ):
            _roll_back(version.model)


@st.dialog("Move to another stage")
def _promote(version: Version) -> None:
    st.markdown(
        f"**{words.plain(version.model)}**, version {version.version}, is in {frame.stage_badge(version.stage)}"
    )
    gates = version.tags.get("gates")
    passed = gates is not None and gates["verdict"] == "promote"
    others = [
        stage for stage in ("Production", "Staging", "Archived", "None") if stage in STAGES and stage != version.stage
    ]
    stage = st.selectbox("To", others, key="promote_stage")
    reason = st.text_area("Why", key="promote_reason", placeholder="Kept in the audit trail", max_chars=1000)
    force = False
    if stage in ("Production", "Staging") and not passed:
        st.warning("Its gates did not let this version through.", icon=":material/warning:")
        force = st.checkbox("Go past the gates; the audit trail will say so", key="promote_force")
    expected = access.served(version.model).generation
    if st.button("Confirm", type="primary", key="promote_confirm", disabled=not reason.strip()):
        _decide(
            lambda: access.registry().promote_model(
                version.model, version.version, str(stage), reason=reason, expected_generation=expected, force=force
            )
        )


@st.dialog("Roll back")
def _roll_back(model: str) -> None:
    st.markdown(f"The version that served before takes the place of the present one in **{words.plain(model)}**.")
    reason = st.text_area("Why", key="rollback_reason", placeholder="Kept in the audit trail", max_chars=1000)
    expected = access.served(model).generation
    if st.button("Confirm", type="primary", key="rollback_confirm", disabled=not reason.strip()):
        _decide(lambda: access.registry().rollback_model(model, reason=reason, expected_generation=expected))


def _decide(act: Callable[[], Change]) -> None:
    """Act, and load the page anew; what was refused stays in the dialog with its reason."""
    try:
        change = act()
    except MlopsError as error:
        frame.tell(error)
        return
    served = ", ".join(f"{stage} is version {number}" for stage, number in sorted(change.after.versions.items()))
    st.session_state[_SAID] = f"Done: {served or 'nothing serves'} (generation {change.after.generation})."
    st.rerun()
