"""Offer demo traffic to a project without any, and mark every page of the demo."""

from __future__ import annotations

import streamlit as st

from pipeline.alerts.monitor_loop import run_monitor_once
from pipeline.config.config_loader import load_params
from pipeline.demo import create_demo, remove_demo
from pipeline.project import paths

from ... import demo_mode, page, queries

__all__ = ["LOAD_LABEL", "show_banner", "show_offer"]

LOAD_LABEL = "Load demo traffic"


def show_offer() -> None:
    """Show what the demo is, and the button that loads it; for a project with a version and without traffic."""
    with st.container(border=True, key="demo_offer"):
        st.markdown("**No predictions yet.** Send some, or look at every page with simulated ones.")
        st.caption(
            f"The demo is a copy of this project in `{paths.DEMO}` with three days of predictions and outcomes."
            " The last six hours drift, and the monitor opens an incident."
            " Nothing of it counts as production, and no receiver is notified."
            f" `rm -r {paths.DEMO}` removes it."
        )
        is_allowed, reason = page.can_operate("operator")
        if not demo_mode.is_available():
            st.caption(
                "It needs an app with the project's own database file and engine, without MLOPS_STATE_URL and"
                " MLOPS_API_URL."
            )
        elif not is_allowed:
            st.caption(reason)
        elif demo_mode.has_demo():
            st.button("Open the demo", icon=":material/play_circle:", on_click=demo_mode.enter, key="open_demo")
        else:
            _show_load_button()


def _show_load_button() -> None:
    with st.popover(LOAD_LABEL, icon=":material/play_circle:", key="load_demo"):
        st.markdown("It takes a few seconds. This session then shows the demo until you leave it.")
        if st.button("Load it now", type="primary", key="confirm_demo"):
            with st.spinner("Simulating three days of traffic, then running the monitor ..."):
                folder = create_demo(queries.project_root())
                run_monitor_once(load_params(folder / paths.PARAMS), folder)
            demo_mode.enter()
            st.rerun()


def show_banner() -> None:
    """Mark a page of the demo, with the ways out of it."""
    if not demo_mode.is_demo():
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="demo_banner"):
        st.markdown(
            f":violet-badge[Demo] Simulated traffic in a copy of this project (`{paths.DEMO}`);"
            " it is not production, and what you do here changes only the copy.",
            width="stretch",
        )
        st.button("Leave the demo", on_click=demo_mode.leave, key="leave_demo")
        if page.can_operate("operator")[0]:
            st.button("Remove it", on_click=_remove, key="remove_demo")


def _remove() -> None:
    demo_mode.leave()
    remove_demo(queries.project_root())
