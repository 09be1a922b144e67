"""The incidents page: open incidents, past ones and silences; with a number in the address, one incident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.errors import UsageError
from pipeline.text import format_duration

from ... import address, formatting, html_table, links, page, queries
from ...page_queries import incident_queries
from ...time_range import choose_time_range
from ..overview import status_panel
from . import incident_buttons, incident_detail
from .incident_panel import SEVERITY_COLORS, incident_rows

if TYPE_CHECKING:
    from pipeline.state import Silence

    from ...page_queries.incident_queries import PastIncident

__all__ = ["render"]

_MAX_LENGTH = 600
_VIEWS = {"all": "All", "open": "Open", "past": "Past"}


def render() -> None:
    """Show the page."""
    number = st.query_params.get("incident")
    if number is None:
        page.render_page("Incidents", "What needed attention in production, and what was done about it.", _show_list)
    else:
        page.render_page(
            f"Incident {formatting.escape_markdown(number)}", "Since when, why, and what to do.", lambda: _show(number)
        )


def _show(number: str) -> None:
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise UsageError(f"incident {number!r} is no number; the page Incidents lists them")
    incident_buttons.show_last_result()
    incident_detail.show_incident(int(number))


def _show_list() -> None:
    model = queries.config().name
    incident_buttons.show_last_result()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = address.choose(
            st.segmented_control,
            list(_VIEWS),
            parameter="status",
            key="incidents_status",
            default="all",
            format_func=_VIEWS.__getitem__,
            label="Status",
        )
        chosen = choose_time_range(key="incidents", default="30d", presets=("1d", "7d", "30d"), with_all=True)
    silences = incident_queries.active_silences(model)
    if view != "past":
        _show_open(model, silences)
    if view != "open":
        _show_past(incident_queries.past_incidents(model, since=chosen.since, until=chosen.until), chosen.label)
    _show_silences(silences)


def _show_open(model: str, silences: list[Silence]) -> None:
    st.subheader("Open")
    incidents = incident_queries.open_incidents(model)
    if incidents:
        page.show_table(incident_rows(incidents, silences), caption="Open incidents")
    else:
        status = status_panel.production_status()
        for name in ("incidents", "monitor"):
            st.markdown(status_panel.component_markdown(status.component(name)))


def _show_past(past: list[PastIncident], label: str) -> None:
    st.subheader("Past")
    if past:
        page.show_table([_past_row(each) for each in past], caption="Past incidents")
    else:
        st.markdown(f"No incident ended in this time range ({formatting.escape_markdown(label)}).")


def _past_row(past: PastIncident) -> dict[str, Any]:
    incident = past.incident
    ended_at = incident.resolved_at or incident.last_seen_at
    causes = incident.details.get("causes", ())
    if past.resolution is None:
        ending = f"{page.short_time(ended_at)}, no rule fires"
    else:
        reason = f": {formatting.shorten(past.resolution.reason, 160)}" if past.resolution.reason else ""
        ending = f"{page.short_time(ended_at)}, by {incident.resolved_by}{reason}"
    return {
        "Severity": html_table.Badge(incident.severity, SEVERITY_COLORS.get(incident.severity, "gray")),
        "Incident": html_table.Link(
            formatting.shorten(incident.title, 160), links.page_address("incidents", incident=incident.seq)
        ),
        "Opened": page.short_time(incident.opened_at),
        "Duration": format_duration(max(ended_at - incident.opened_at, 0)),
        "Likely cause": f"{causes[0]['label']}, {causes[0]['change']}" if causes else "none",
        "Resolved": ending,
    }


def _show_silences(silences: list[Silence]) -> None:
    st.subheader("Silences")
    if not silences:
        st.markdown("No silence is active; receivers are notified of every incident.")
        return
    is_operator, denied_reason = page.can_operate("operator")
    for silence in silences:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(_silence_markdown(silence))
            if is_operator:
                incident_buttons.show_silence_end(silence)
    if not is_operator:
        st.caption(denied_reason)


def _silence_markdown(silence: Silence) -> str:
    group = "all incidents" if silence.group_name is None else f"incidents of the group {silence.group_name}"
    reason = f": {silence.reason}" if silence.reason else ""
    text = f"Silence {silence.seq}: {group}, until {page.short_time(silence.until)}, by {silence.actor}{reason}"
    return formatting.message_markdown(formatting.shorten(text, _MAX_LENGTH))
