"""What somebody has to know: open incidents, with acknowledge, silence and resolve for those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import access, frame, watching, words
from pipeline import alerts
from pipeline.errors import MlopsError

if TYPE_CHECKING:
    from pipeline.state import Incident

__all__ = ["show"]

_SEVERITIES = {"critical": "red", "warning": "orange", "info": "blue"}
_ACTS = {
    "acknowledge": ("Acknowledge", ":material/visibility:", "Somebody looks at it: receivers hear no more of it"),
    "silence": ("Silence", ":material/notifications_paused:", "Nobody is told of this kind of incident for some time"),
    "resolve": ("Resolve", ":material/task_alt:", "It is over; if it is still there it opens again"),
}
_TIMES = {60: "1 hour", 480: "8 hours", 1440: "1 day", 10080: "7 days"}
_MAX = 20
_MAX_LINES = 12


def show(model: str) -> None:
    """Show the open incidents of a model."""
    st.markdown("**Open alerts**", help="Incidents that the monitor raised by the rules of `conf/alerts`")
    found = watching.incidents(model)
    if not found:
        st.caption("None. The monitor raises them: `python -m stages.monitor`, or on a schedule.")
        return
    allowed, why_not = frame.may_act("operator")
    quiet = watching.silences(model)
    for one in found[:_MAX]:
        with st.container(border=True):
            _told(one, is_silent=any(silence.covers(one.incident, frame.now_us()) for silence in quiet))
            if allowed:
                _acts(one)
    if len(found) > _MAX:
        st.caption(f"The newest {_MAX} of {len(found):,}; `mlops alerts list` has all.")
    if not allowed:
        st.caption(why_not)


def _told(one: Incident, *, is_silent: bool) -> None:
    colour = _SEVERITIES.get(one.severity, "gray")
    marks = [f":{colour}-badge[{words.plain(one.severity)}]", f":gray-badge[{words.plain(one.status)}]"]
    marks += [":gray-badge[silent]"] if is_silent else []
    st.markdown(f"{' '.join(marks)} **{words.plain(one.title.removeprefix(f'{one.model}: '))}**")
    lines = [words.sentence(words.short(line, 300)) for line in one.message.splitlines()[:_MAX_LINES] if line.strip()]
    st.caption("  \n".join(lines))
    by = f", acknowledged by {words.plain(one.acknowledged_by)}" if one.acknowledged_by else ""
    st.caption(f"Since {frame.when(one.at)}, seen {_times(one.n_times)}{by}", help=words.plain(words.moment(one.at)))


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"


def _acts(one: Incident) -> None:
    with st.container(horizontal=True):
        for what, (label, icon, help_) in _ACTS.items():
            if what == "acknowledge" and one.status == "acknowledged":
                continue
            with st.popover(label, icon=icon, help=help_):
                _act(one, what)


def _act(one: Incident, what: str) -> None:
    key = f"{what}_{one.seq}"
    minutes = 0
    if what == "silence":
        minutes = st.selectbox("For", list(_TIMES), format_func=_TIMES.__getitem__, key=f"{key}_minutes") or 60
    reason = st.text_input("Why", key=f"{key}_reason", placeholder="Kept in the audit trail", max_chars=1000)
    if st.button("Confirm", type="primary", key=f"{key}_confirm"):
        try:
            _decide(one, what, reason=reason, minutes=minutes)
        except MlopsError as error:
            frame.tell(error)
        else:
            st.rerun()


def _decide(one: Incident, what: str, *, reason: str, minutes: float) -> None:
    who = access.reads()
    actor = alerts.Actor(who.id, who.roles)
    if what == "silence":
        alerts.silence(access.state(), one.model, minutes=minutes, actor=actor, incident=one.incident, reason=reason)
        return
    act = alerts.acknowledge if what == "acknowledge" else alerts.resolve
    act(access.state(), one.seq, actor=actor, reason=reason)
