"""The panel of open incidents, with acknowledge, silence and resolve for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import formatting, monitoring_queries, page, queries
from app.views import status_panel
from pipeline import alerts
from pipeline.errors import MlopsError
from pipeline.text import timestamp

if TYPE_CHECKING:
    from pipeline.state import Incident

__all__ = ["show_incidents"]

_SEVERITY_COLORS = {"critical": "red", "warning": "orange", "info": "blue"}
_ACTIONS = {
    "acknowledge": ("Acknowledge", ":material/visibility:", "Stop notifications; you are working on it"),
    "silence": ("Silence", ":material/notifications_paused:", "Mute notifications for this incident type"),
    "resolve": ("Resolve", ":material/task_alt:", "Close it; it opens again if its rule still fires"),
}
_RESULTS = {"acknowledge": "Acknowledged", "silence": "Silenced", "resolve": "Resolved"}
_RESULT_KEY = "incident_result"
_GENERATION_KEY = "incident_generation"
_SILENCE_MINUTES = {60: "1 hour", 480: "8 hours", 1440: "1 day", 10080: "7 days"}
_MAX_INCIDENTS = 20
_MAX_MESSAGE_LINES = 12


def show_incidents(model: str) -> None:
    """Show the open incidents of a model."""
    st.markdown("**Open alerts**", help="Incidents that the monitor raised by the rules of `conf/alerts`")
    result = st.session_state.pop(_RESULT_KEY, None)
    if result is not None:
        st.toast(formatting.escape_markdown(result), icon=":material/check_circle:")
    incidents = monitoring_queries.open_incidents(model)
    if not incidents:
        status = status_panel.production_status()
        st.markdown(status_panel.component_markdown(status.component("incidents")))
        st.caption(status_panel.component_markdown(status.component("monitor")))
        return
    is_allowed, reason = page.can_operate("operator")
    silences = monitoring_queries.active_silences(model)
    for incident in incidents[:_MAX_INCIDENTS]:
        with st.container(border=True):
            is_silenced = any(silence.covers(incident.group_name, page.now_us()) for silence in silences)
            _show_incident(incident, is_silenced=is_silenced)
            if is_allowed:
                _show_actions(incident)
    if len(incidents) > _MAX_INCIDENTS:
        st.caption(f"Newest {_MAX_INCIDENTS} of {len(incidents):,}; `mlops alerts list` lists all.")
    if not is_allowed:
        st.caption(reason)


def _show_incident(incident: Incident, *, is_silenced: bool) -> None:
    color = _SEVERITY_COLORS.get(incident.severity, "gray")
    badges = [
        f":{color}-badge[{formatting.escape_markdown(incident.severity)}]",
        f":gray-badge[{formatting.escape_markdown(incident.status)}]",
    ]
    badges += [":gray-badge[silenced]"] if is_silenced else []
    st.markdown(f"{' '.join(badges)} **{formatting.escape_markdown(incident.title)}**")
    lines = [
        formatting.message_markdown(formatting.shorten(line, 300))
        for line in incident.message.splitlines()[:_MAX_MESSAGE_LINES]
        if line.strip()
    ]
    st.caption("  \n".join(lines))
    by = f", acknowledged by {formatting.escape_markdown(incident.acknowledged_by)}" if incident.acknowledged_by else ""
    st.caption(
        f"Since {page.timestamp(incident.opened_at)}, seen {_times_seen(incident.n_occurrences)}{by}",
        help=formatting.escape_markdown(timestamp(incident.opened_at)),
    )


def _times_seen(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"


def _show_actions(incident: Incident) -> None:
    with st.container(horizontal=True):
        for action, (label, icon, help_) in _ACTIONS.items():
            if action == "acknowledge" and incident.status == "acknowledged":
                continue
            # The position changes with the other actions, the key does not; a new generation is a closed popover.
            generation = st.session_state.get(_GENERATION_KEY, 0)
            with st.popover(label, icon=icon, help=help_, key=f"{action}_{incident.seq}_{generation}_popover"):
                _action_form(incident, action)


def _action_form(incident: Incident, action: str) -> None:
    key = f"{action}_{incident.seq}"
    minutes = 0
    if action == "silence":
        minutes = (
            st.selectbox("For", list(_SILENCE_MINUTES), format_func=_SILENCE_MINUTES.__getitem__, key=f"{key}_minutes")
            or 60
        )
    label = "Reason (required)" if action == "resolve" else "Reason"
    reason = st.text_input(label, key=f"{key}_reason", placeholder="Recorded in the audit trail", max_chars=1000)
    if st.button("Confirm", type="primary", key=f"{key}_confirm"):
        if action == "resolve" and not reason.strip():
            st.error("Enter a reason; the audit trail records it.", icon=":material/edit_note:")
            return
        try:
            _apply_action(incident, action, reason=reason, minutes=minutes)
        except MlopsError as error:
            page.show_error(error)
        else:
            st.session_state[_GENERATION_KEY] = st.session_state.get(_GENERATION_KEY, 0) + 1
            st.session_state[_RESULT_KEY] = f"{_RESULTS[action]}: {formatting.shorten(incident.title, 80)}"
            st.rerun()


def _apply_action(incident: Incident, action: str, *, reason: str, minutes: float) -> None:
    user = queries.current_user()
    actor = alerts.Actor(user.id, user.roles)
    if action == "silence":
        alerts.create_silence(
            queries.state(), incident.model, minutes=minutes, actor=actor, incident=incident.group_name, reason=reason
        )
        return
    change = alerts.acknowledge_incident if action == "acknowledge" else alerts.resolve_incident
    change(queries.state(), incident.seq, actor=actor, reason=reason)
