"""Show the dashboard: its pages and its sidebar."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from . import demo_mode, navigation, page
from .views.overview import demo_panel, sidebar_panel

__all__ = ["show_dashboard"]

# An icon by name would make the browser ask a host of Streamlit's publisher.
_ICON = Path(__file__).with_name("icon.png")
_SIDEBAR_WIDTH_PX = 230


def show_dashboard() -> None:
    """Show the page that the URL names, then the status of production in the sidebar, which delays no page."""
    st.set_page_config(
        page_title=sidebar_panel.PRODUCT,
        page_icon=_ICON,
        layout="wide",
        initial_sidebar_state=_SIDEBAR_WIDTH_PX,
    )
    page.apply_style()
    selected_page = navigation.register_pages()
    demo_mode.follow_address()
    with st.sidebar:
        status_place = st.container()
        navigation.show_navigation()
        page.error_boundary(sidebar_panel.show_project)
    page.error_boundary(demo_panel.show_banner)
    selected_page.run()
    with status_place:
        page.error_boundary(lambda: sidebar_panel.show_status(selected_page.title))
