"""The table of pages: name, title, icon, section and function; links and the navigation are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from . import links
from .page_queries import stream_queries
from .views.incidents import incidents_page
from .views.loop import loop_page
from .views.models import compare_page, models_page
from .views.monitoring import monitoring_page
from .views.overview import overview_page, wall_page
from .views.predictions import history_page, predict_page
from .views.project import configuration_page, data_page, experiments_page, reports_page
from .views.streams import streams_page

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PAGES", "PageEntry", "register_pages", "show_navigation"]

_PRODUCTION, _DEVELOPMENT = "Production", "Models and data"


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page of the app; one without a section, or that is not listed now, is reached by links alone."""

    name: str
    title: str
    icon: str
    section: str
    render: Callable[[], None]
    is_listed: Callable[[], bool] = lambda: True


PAGES = (
    PageEntry("overview", "Overview", "dashboard", _PRODUCTION, overview_page.render),
    PageEntry("incidents", "Incidents", "notification_important", _PRODUCTION, incidents_page.render),
    PageEntry("wall", "Wall page", "tv", "", wall_page.render),
    PageEntry("predict", "Predict", "online_prediction", _PRODUCTION, predict_page.render),
    PageEntry("monitoring", "Monitoring", "monitoring", _PRODUCTION, monitoring_page.render),
    PageEntry("loop", "Loop", "autorenew", _PRODUCTION, loop_page.render),
    PageEntry("streams", "Streams", "stream", _PRODUCTION, streams_page.render, stream_queries.has_streams),
    PageEntry("history", "History", "history", _PRODUCTION, history_page.render),
    PageEntry("models", "Models", "deployed_code", _DEVELOPMENT, models_page.render),
    PageEntry("compare", "Compare", "compare_arrows", _DEVELOPMENT, compare_page.render),
    PageEntry("data", "Data", "table_chart", _DEVELOPMENT, data_page.render),
    PageEntry("experiments", "Experiments", "science", _DEVELOPMENT, experiments_page.render),
    PageEntry("reports", "Reports", "description", _DEVELOPMENT, reports_page.render),
    PageEntry("configuration", "Configuration", "tune", _DEVELOPMENT, configuration_page.render),
)


def register_pages() -> st.Page:
    """Return the page that the address names; `show_navigation` draws the links."""
    pages = {
        entry.name: st.Page(
            entry.render,
            title=entry.title,
            icon=f":material/{entry.icon}:",
            url_path=entry.name,
            default=entry.name == links.START_PAGE,
        )
        for entry in PAGES
    }
    links.set_pages(pages)
    return st.navigation(list(pages.values()), position="hidden")


def show_navigation() -> None:
    """Show a link for each page that has a section, below the name of its section.

    The navigation of Streamlit puts headings between the items of a list, which screen readers cannot follow.
    """
    for section in dict.fromkeys(entry.section for entry in PAGES if entry.section):
        with st.container(gap="xsmall", key=f"navigation_{section.lower().replace(' ', '_')}"):
            st.caption(section)
            for entry in PAGES:
                if entry.section == section and entry.is_listed():
                    links.show_link(entry.title, entry.name, icon=entry.icon)
