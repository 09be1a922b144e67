"""The loop page: what the loop decided and why, what waits for a person, trials and retrains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import formatting, loop_queries, page, queries
from app.views import proposal_form, retrain_panel, trial_panel
from pipeline.text import format_age, pluralize, timestamp

if TYPE_CHECKING:
    from app.loop_queries import LoopOverview
    from pipeline.config.groups.lifecycle_config import LifecycleConfig
    from pipeline.state import LoopDecision, LoopRun

__all__ = ["render"]

_MODES = {
    "off": ("gray", "the loop does nothing"),
    "advise": ("blue", "the loop proposes, and a person approves"),
    "act": ("green", "the loop carries its decisions out"),
}
_MAX_ROWS = 200


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
        ["Timeline", "Trials", "Retrains"], key="loop_tab", on_change="rerun", bind="query-params"
    )
    with timeline:
        page.error_boundary(lambda: _show_timeline(overview))
    if trials.open:
        with trials:
            page.error_boundary(lambda: trial_panel.show_trials(overview.trials))
    if retrains.open:
        with retrains:
            page.error_boundary(lambda: retrain_panel.show_retrains(overview.retrains))


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


def _show_timeline(overview: LoopOverview) -> None:
    if overview.last_run is not None:
        _show_last_run(overview.last_run)
    rows = [(run, decision) for run in overview.runs for decision in run.decisions if decision.is_action][:_MAX_ROWS]
    if not rows:
        page.empty_state("Nothing happened so far", "the reasons of the last run are above")
        return
    st.markdown("**What happened**, newest first")
    table = pd.DataFrame([_decision_row(run, decision) for run, decision in rows])
    selected = page.show_grid(
        table,
        column_config=page.time_columns("Time"),
        on_select="rerun",
        selection_mode="single-row",
        key="loop_decisions",
    )
    positions = [position for position in selected.selection.rows if position < len(rows)]
    if positions:
        _show_evidence(rows[positions[0]][1])
    else:
        st.caption("Select a row to see the whole reason and its evidence.")


def _show_last_run(run: LoopRun) -> None:
    """Show what the last run decided about each subject; where nothing happened, why."""
    idle = [decision for decision in run.decisions if not decision.is_action]
    st.markdown(f"**Last run**: {_count_actions(run)}")
    for decision in idle:
        later = "" if decision.next_at is None else f" Next look: {timestamp(decision.next_at, page.user_time_zone())}."
        text = formatting.message_markdown(formatting.shorten(decision.reason, 400))
        color = "red" if decision.error else "gray"
        st.markdown(f":{color}-badge[{formatting.escape_markdown(decision.subject)}] {text.removesuffix('.')}.{later}")


def _count_actions(run: LoopRun) -> str:
    n = sum(decision.is_action for decision in run.decisions)
    return f"{pluralize(n, 'action')}, below" if n else "nothing happened, because"


def _decision_row(run: LoopRun, decision: LoopDecision) -> dict[str, object]:
    return {
        "Time": timestamp(run.recorded_at, page.user_time_zone()),
        "Subject": decision.subject,
        "Action": decision.action,
        "Reason": formatting.shorten(decision.reason, 300),
    }


def _show_evidence(decision: LoopDecision) -> None:
    with st.container(border=True):
        st.markdown(
            f"**{formatting.escape_markdown(decision.subject)}: {formatting.escape_markdown(decision.action)}**  \n"
            f"{formatting.message_markdown(decision.reason)}"
        )
        page.show_facts(decision.facts)
