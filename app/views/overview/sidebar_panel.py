"""The sidebar: the status of production with links, the project, its model and the user; the browser's title too."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.errors import MlopsError

from ... import demo_mode, formatting, links, login, page, queries
from ...page_queries import production_queries
from . import demo_panel, status_panel

if TYPE_CHECKING:
    from pipeline.production_status import ComponentStatus, ProductionFacts

__all__ = ["PRODUCT", "show_project", "show_status"]

PRODUCT = "declarative-mlops"
_REFRESH_S = 30


def show_project() -> None:
    """Show the project and the user; nothing to those who may not see the pages."""
    try:
        config = queries.config()
    except MlopsError:
        st.caption(f"{PRODUCT} {version(PRODUCT)}  \nNo results yet: run `make run`.")
        return
    user = queries.current_user()
    if user.explain_denial("viewer"):
        _show_user(user)
        return
    st.caption(
        f"{PRODUCT} {version(PRODUCT)}  \n"
        f"Problem **{formatting.escape_markdown(config.data.name)}**  \n"
        f"Model **{formatting.escape_markdown(config.name)}**  \n"
        f"Times are in {formatting.escape_markdown(page.time_zone_label())}"
    )
    _show_user(user)


def _show_user(user: login.User) -> None:
    if not login.has_login() or user.denied_reason:
        return
    roles = ", ".join(sorted(user.roles)) or "no known role"
    st.caption(f"**{formatting.escape_markdown(user.name)}**  \n{formatting.escape_markdown(roles)}")
    st.button("Log out", icon=":material/logout:", on_click=st.logout, key="log_out")


def show_status(page_title: str) -> None:
    """Show the status of production, again every 30 seconds, and write it into the browser's title."""
    try:
        queries.config()
        is_allowed, _ = page.can_operate("viewer")
    except MlopsError:  # the page shows it
        return
    if is_allowed:
        page.refresh_every(_REFRESH_S, lambda: _show_status(page_title))


def _show_status(page_title: str) -> None:
    facts = production_queries.recent_production_facts()
    status = production_queries.production_status(page.user_time_zone(), facts)
    demo = "Demo: " if demo_mode.is_demo() else ""
    st.set_page_config(page_title=f"{demo}{status.title} - {status.model} - {page_title}")
    if status.component("database").condition == "new":
        return
    with st.container(border=True, key="sidebar_status", gap="xsmall"):
        if demo_mode.is_demo():
            st.badge("Demo", color="violet")
        st.markdown(status_panel.sentence_markdown(status))
        for component in status.components:
            target = _target(component, facts)
            if target is not None:
                name, parameters = target
                color = status_panel.STATE_COLORS[component.state]
                text = formatting.escape_markdown(f"{component.label}: {component.summary}")
                icon = status_panel.STATE_ICONS[component.state]
                links.show_link(f":{color}[{text}]", name, icon=icon, **parameters)
        known = facts.database.model
        if known is not None and known.n_versions and known.last_prediction_at is None:
            links.show_link(f"No traffic yet: {demo_panel.LOAD_LABEL.lower()}", "overview", icon="play_circle")
        links.show_link("Wall page", "wall", icon="tv")


def _target(component: ComponentStatus, facts: ProductionFacts) -> tuple[str, dict[str, Any]] | None:
    """Return the page of a component with its choices; None if it has none."""
    known = facts.database.model
    if component.name == "incidents":
        incidents = () if known is None else known.incidents
        return "incidents", {"incident": incidents[0].seq if len(incidents) == 1 else None}
    if component.name == "version":
        production = None if known is None else known.production
        return "models", {"version": None if production is None else production.version}
    return {"monitor": ("monitoring", {}), "tracking": ("experiments", {}), "stream": ("streams", {})}.get(
        component.name
    )
