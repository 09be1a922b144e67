"""The reports page: the HTML reports of the project with verdict, commit and age, to download."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ... import formatting, links, page
from ...page_queries import report_queries

if TYPE_CHECKING:
    from pipeline.html_report import Level
    from pipeline.report_index import ListedReport

__all__ = ["render"]

_COLORS: dict[Level, str] = {"good": "green", "warn": "orange", "bad": "red", "neutral": "gray"}
# The pages of the app with the same subject.
_APP_PAGES = {
    "Monitoring": ("monitoring", "incidents"),
    "Validation": ("data",),
    "Change": ("compare", "configuration"),
}


def render() -> None:
    """Show the page."""
    page.render_page("Reports", "HTML reports of this project, each a file without network access.", _render_body)


def _render_body() -> None:
    for report in report_queries.html_reports():
        with st.container(border=True, key=f"report_{report.path.stem}"):
            left, right = st.columns([4, 1])
            with left:
                _show_summary(report)
            with right:
                _show_actions(report)


def _show_summary(report: ListedReport) -> None:
    title, description = f"**{report.name} report**", formatting.escape_markdown(report.description)
    if report.head is None or report.written_at is None:
        st.markdown(f"{title}: {description}")
        st.caption(f"Not written yet: run `{report.command}`")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{title}: {description}", width="content")
        page.badge(report.head.verdict, color=_COLORS[report.head.level])
    st.markdown(formatting.message_markdown(report.head.summary))
    commit = f"Commit {report.commit}" if report.commit else "No commit yet"
    st.caption(f"{formatting.escape_markdown(commit)}, written {page.timestamp(report.written_at)}")


def _show_actions(report: ListedReport) -> None:
    if report.head is not None:
        st.download_button(
            f"Download {report.path.name}",
            lambda: report_queries.read_report(report),
            file_name=report.path.name,
            mime="text/html",
            icon=":material/download:",
            on_click="ignore",
            key=f"download_{report.path.stem}",
        )
    for name in _APP_PAGES[report.name]:
        links.show_link(f"Open {name}", name)
