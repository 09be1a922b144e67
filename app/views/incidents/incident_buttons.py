"""What operators do about an incident: acknowledge, silence, resolve; and end a silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pipeline import alerts
from pipeline.errors import MlopsError
from pipeline.text import timestamp

from ... import formatting, page, queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.state import Incident, Silence

__all__ = ["show_incident_buttons", "show_last_result", "show_silence_end"]

_ACTIONS = {
    "acknowledge": ("Acknowledge", ":material/visibility:", "Stop notifications; you are working on it"),
    "silence": ("Silence", ":material/notifications_paused:", "Mute notifications for this incident type"),
    "resolve": ("Resolve", ":material/task_alt:", "Close it; it opens again if its rule still fires"),
}
_RESULT_KEY = "incident_result"
_GENERATION_KEY = "incident_generation"
_SILENCE_MINUTES = {60: "1 hour", 480: "8 hours", 1440: "1 day", 10080: "7 days"}
_US_PER_MINUTE = 60_000_000


def show_last_result() -> None:
    """Show a note about the action that the user just confirmed."""
    result = st.session_state.pop(_RESULT_KEY, None)
    if result is not None:
        st.toast(formatting.escape_markdown(result), icon=":material/check_circle:")


def show_incident_buttons(incident: Incident, firing: Sequence[str]) -> None:
    """Show the actions that are left for an incident to operators; `firing` are the findings that still hold."""
    is_allowed, denied_reason = page.can_operate("operator")
    if not is_allowed:
        st.caption(denied_reason)
        return
    for action, (label, icon, help_) in _ACTIONS.items():
        if action == "acknowledge" and incident.status == "acknowledged":
            continue
        with st.popover(label, icon=icon, help=help_, key=_popover_key(action, incident.seq)):
            if action == "resolve" and firing:
                _warn_that_it_fires(firing)
            _action_form(incident, action)


def show_silence_end(silence: Silence) -> None:
    """Show the button that ends a silence to operators."""
    with st.popover("End now", icon=":material/notifications_active:", key=_popover_key("end", silence.seq)):
        reason = _reason_input(f"end_{silence.seq}")
        if st.button("Confirm", type="primary", key=f"end_{silence.seq}_confirm") and _has_reason(reason):
            _apply(
                lambda actor: alerts.expire_silence(queries.state(), silence.seq, actor=actor, reason=reason),
                "Silence ended; receivers are notified of open incidents at the next run of the monitor",
            )


def _popover_key(action: str, number: int) -> str:
    # The position changes with the other actions, the key does not; a new generation is a closed popover.
    return f"{action}_{number}_{st.session_state.get(_GENERATION_KEY, 0)}_popover"


def _warn_that_it_fires(firing: Sequence[str]) -> None:
    findings = "; ".join(firing)
    st.warning(
        "It still fires, so it opens again at the next run of the monitor: "
        f"{formatting.message_markdown(formatting.shorten(findings, 400))}",
        icon=":material/warning:",
    )


def _action_form(incident: Incident, action: str) -> None:
    key = f"{action}_{incident.seq}"
    minutes = _choose_minutes(key) if action == "silence" else 0
    reason = _reason_input(key, is_required=action != "acknowledge")
    if not st.button("Confirm", type="primary", key=f"{key}_confirm"):
        return
    if action != "acknowledge" and not _has_reason(reason):
        return
    state = queries.state()
    if action == "silence":
        until = timestamp(page.now_us() + minutes * _US_PER_MINUTE, page.user_time_zone())
        _apply(
            lambda actor: alerts.create_silence(
                state, incident.model, minutes=minutes, actor=actor, incident=incident.group_name, reason=reason
            ),
            f"Silenced until {until}",
        )
    elif action == "acknowledge":
        _apply(
            lambda actor: alerts.acknowledge_incident(state, incident.seq, actor=actor, reason=reason), "Acknowledged"
        )
    else:
        _apply(lambda actor: alerts.resolve_incident(state, incident.seq, actor=actor, reason=reason), "Resolved")


def _choose_minutes(key: str) -> int:
    minutes: int = (
        st.selectbox("For", list(_SILENCE_MINUTES), format_func=_SILENCE_MINUTES.__getitem__, key=f"{key}_minutes")
        or 60
    )
    until = timestamp(page.now_us() + minutes * _US_PER_MINUTE, page.user_time_zone())
    st.markdown(f"Ends {formatting.escape_markdown(until)}")
    return minutes


def _reason_input(key: str, *, is_required: bool = True) -> str:
    label = "Reason (required)" if is_required else "Reason"
    return st.text_input(label, key=f"{key}_reason", placeholder="Recorded in the audit trail", max_chars=1000)


def _has_reason(reason: str) -> bool:
    if reason.strip():
        return True
    st.error("Enter a reason; the audit trail records it.", icon=":material/edit_note:")
    return False


def _apply(change: Callable[[alerts.Actor], object], result: str) -> None:
    user = queries.current_user()
    try:
        change(alerts.Actor(user.id, user.roles))
    except MlopsError as error:
        page.show_error(error)
        return
    st.session_state[_GENERATION_KEY] = st.session_state.get(_GENERATION_KEY, 0) + 1
    st.session_state[_RESULT_KEY] = result
    st.rerun()
