"""The status of production in its color, with what to do about each component that is not healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ... import formatting, page
from ...page_queries import production_queries

if TYPE_CHECKING:
    from pipeline.production_status import ComponentStatus, HealthState, ProductionStatus

__all__ = [
    "STATE_COLORS",
    "STATE_ICONS",
    "component_markdown",
    "production_status",
    "sentence_markdown",
    "show_production_status",
]

STATE_COLORS: dict[HealthState, str] = {"healthy": "green", "unknown": "gray", "degraded": "orange", "down": "red"}
STATE_ICONS: dict[HealthState, str] = {
    "healthy": "check_circle",
    "unknown": "help",
    "degraded": "warning",
    "down": "error",
}


def production_status() -> ProductionStatus:
    """Return the status of production, with moments in the zone of the user."""
    return production_queries.production_status(page.user_time_zone())


def show_production_status(status: ProductionStatus) -> None:
    """Show the sentence in its color, a line for each component that is not healthy, and the healthy ones together."""
    with st.container(border=True, key=f"production_{status.state}"):
        st.markdown(sentence_markdown(status))
        for component in status.components:
            if component.state != "healthy":
                st.markdown(component_markdown(component, since=component.since_text(status.checked_at, status.zone)))
        healthy = [component for component in status.components if component.state == "healthy"]
        if healthy:
            sentences = "; ".join(f"{component.label}: {component.sentence}" for component in healthy)
            st.caption(f":green-badge[healthy] {formatting.message_markdown(formatting.shorten(sentences, 600))}")


def sentence_markdown(status: ProductionStatus) -> str:
    """Return the sentence about production with its icon, in its color."""
    icon, color = STATE_ICONS[status.state], STATE_COLORS[status.state]
    return f"**:{color}[:material/{icon}: {formatting.message_markdown(status.sentence)}]**"


def component_markdown(component: ComponentStatus, *, since: str = "") -> str:
    """Return one line: the state in its color, since when, the sentence and the next step."""
    label = f"{component.label}, {since}" if since else component.label
    text = formatting.message_markdown(formatting.shorten(f"{label}: {component.text}", 600))
    return f":{STATE_COLORS[component.state]}-badge[{component.state}] {text}"
