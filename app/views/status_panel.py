"""The status of production in its color, with what to do about each component that is not healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import formatting, page, production_queries
from pipeline.production_status import assess_production

if TYPE_CHECKING:
    from pipeline.production_status import ComponentStatus, HealthState, ProductionStatus

__all__ = ["component_markdown", "production_status", "show_production_status"]

_COLORS: dict[HealthState, str] = {"healthy": "green", "unknown": "gray", "degraded": "orange", "down": "red"}
_ICONS: dict[HealthState, str] = {
    "healthy": ":material/check_circle:",
    "unknown": ":material/help:",
    "degraded": ":material/warning:",
    "down": ":material/error:",
}


def production_status() -> ProductionStatus:
    """Return the status of production, with moments in the zone of the user."""
    return assess_production(production_queries.production_facts(), zone=page.user_time_zone())


def show_production_status(status: ProductionStatus) -> None:
    """Show the headline in its color, a line for each component that is not healthy, and the healthy ones together."""
    with st.container(border=True, key=f"production_{status.state}"):
        icon, color = _ICONS[status.state], _COLORS[status.state]
        st.markdown(f"**:{color}[{icon} {formatting.escape_markdown(status.sentence)}]**")
        for component in status.components:
            if component.state != "healthy":
                st.markdown(component_markdown(component))
        healthy = [component for component in status.components if component.state == "healthy"]
        if healthy:
            sentences = "; ".join(f"{component.label}: {component.sentence}" for component in healthy)
            st.caption(f":green-badge[healthy] {formatting.message_markdown(formatting.shorten(sentences, 600))}")


def component_markdown(component: ComponentStatus) -> str:
    """Return one line: the state in its color, the sentence and the next step."""
    text = formatting.message_markdown(formatting.shorten(f"{component.label}: {component.text}", 600))
    return f":{_COLORS[component.state]}-badge[{component.state}] {text}"
