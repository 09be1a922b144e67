"""The short list of open incidents of a model, with links to their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.text import format_age

from ... import formatting, html_table, links, page
from ...page_queries import incident_queries
from ..overview import status_panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import Incident, Silence

__all__ = ["SEVERITY_COLORS", "incident_rows", "show_incidents"]

SEVERITY_COLORS = {"critical": "red", "warning": "orange", "info": "blue"}
_MAX_INCIDENTS = 5


def show_incidents(model: str) -> None:
    """Show the open incidents of a model, or that there are none and how that is known."""
    incidents = incident_queries.open_incidents(model)
    st.markdown("**Open incidents**", help="Raised by the monitor according to the rules of `conf/alerts`")
    if not incidents:
        status = status_panel.production_status()
        for name in ("incidents", "monitor"):
            st.markdown(status_panel.component_markdown(status.component(name)))
        return
    page.show_table(
        incident_rows(incidents[:_MAX_INCIDENTS], incident_queries.active_silences(model)), caption="Open incidents"
    )
    if len(incidents) > _MAX_INCIDENTS:
        links.show_link(f"All {len(incidents):,} open incidents", "incidents", icon="list")


def incident_rows(incidents: Sequence[Incident], silences: Sequence[Silence]) -> list[dict[str, Any]]:
    """Return a row for each incident: severity, title with a link, status, since when."""
    now = page.now_us()
    rows = []
    for incident in incidents:
        until = max((each.until for each in silences if each.covers(incident.group_name, now)), default=None)
        status = incident.status if incident.acknowledged_by is None else f"acknowledged by {incident.acknowledged_by}"
        if until is not None:
            status = f"{status}, silenced until {page.short_time(until)}"
        rows.append(
            {
                "Severity": html_table.Badge(incident.severity, SEVERITY_COLORS.get(incident.severity, "gray")),
                "Incident": html_table.Link(
                    formatting.shorten(incident.title, 160), links.page_address("incidents", incident=incident.seq)
                ),
                "Status": status,
                "Since": f"{page.short_time(incident.opened_at)} ({format_age(incident.opened_at, now)})",
            }
        )
    return rows
