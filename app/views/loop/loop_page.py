"""The loop page: what the loop decided and why, what waits for a person, trials and retrains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pipeline.text import format_age, timestamp

from ... import page, queries
from ...page_queries import loop_queries
from . import proposal_form, retrain_panel, timeline_panel, trial_panel

if TYPE_CHECKING:
    from pipeline.config.groups.lifecycle_config import LifecycleConfig

    from ...page_queries.loop_queries import LoopOverview

__all__ = ["render"]

_MODES = {
    "off": ("gray", "the loop does nothing"),
    "advise": ("blue", "the loop proposes, and a person approves"),
    "act": ("green", "the loop carries its decisions out"),
}
# The tabs, each with the parameter of the address that opens it.
_TABS = {"Timeline": "run", "Trials": "trial", "Retrains": "retrain"}


def render() -> None:
    """Show the page."""
    page.render_page("Loop", "Trials, retrains, and the decisions of the loop with their reasons.", _render_body)


def _render_body() -> None:
    config = queries.config()
    overview = loop_queries.loop_overview(config.name)
    _show_state(overview, config.lifecycle)
    if overview.is_empty:
        page.empty_state(
            "The loop has not run yet", "start it with `mlops loop`, or open a trial with `mlops trial start VERSION`"
        )
        return
    proposal_form.show_proposals(overview)
    timeline, trials, retrains = st.tabs(
        list(_TABS), default=_default_tab(), key="loop_tab", on_change="rerun", bind="query-params"
    )
    if timeline.open:
        with timeline:
            page.error_boundary(lambda: timeline_panel.show_timeline(overview, config.name))
    if trials.open:
        with trials:
            page.error_boundary(lambda: trial_panel.show_trials(overview.trials, overview.retrains))
    if retrains.open:
        with retrains:
            page.error_boundary(lambda: retrain_panel.show_retrains(overview.retrains))


def _default_tab() -> str:
    """Return the tab of the trial or retrain that the address names; else the timeline."""
    return next((tab for tab, parameter in _TABS.items() if parameter in st.query_params), "Timeline")


def _show_state(overview: LoopOverview, lifecycle: LifecycleConfig) -> None:
    """Show the mode, the last and the next run, and the budget of retrains."""
    color, meaning = _MODES[lifecycle.mode]
    now = page.now_us()
    lines = [f":{color}-badge[{lifecycle.mode}] {meaning} (`lifecycle.mode`)"]
    run = overview.last_run
    if run is not None:
        lines.append(
            f"Last run {page.timestamp(run.recorded_at)}, next {timestamp(run.next_at, page.user_time_zone())}"
        )
    lines.append(
        f"Retrains in the last 24 hours: **{overview.n_retrains_today}** of at most {lifecycle.max_retrains_per_day}"
    )
    with st.container(border=True):
        st.markdown("  \n".join(lines))
    interval_us = int(lifecycle.interval_minutes * 60_000_000)
    if run is not None and lifecycle.mode != "off" and now > run.next_at + interval_us:
        st.warning(
            f"The loop is late: its last run was {format_age(run.recorded_at, now)}. Start it with `mlops loop`.",
            icon=":material/schedule:",
        )
