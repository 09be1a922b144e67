"""The panel of retrains: why each was asked for, how far it came, and what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pipeline.text import format_duration, timestamp

from ... import address, formatting, html_table, links, page
from ...page_queries import loop_queries
from . import timeline_panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import Retrain

__all__ = ["show_retrains"]

_STATE_COLORS = {"on_trial": "green", "needs_decision": "red", "refused": "orange", "failed": "red"}
_RESULTS = {
    "n_rows": "Rows of the snapshot",
    "n_labels": "New labels",
    "version": "Version",
    "trial": "Trial",
    "branch": "Branch",
    "commit_sha": "Commit",
    "decided_by": "Decided by",
    "error": "Reason of the end",
}


def show_retrains(retrains: Sequence[Retrain]) -> None:
    """Show all retrains, and the facts of one."""
    if not retrains:
        page.empty_state("No retrain yet", "`mlops retrain --dry-run` shows whether one is due, and why")
        return
    rows = [
        {
            "Retrain": timeline_panel.subject_cell(f"retrain {retrain.seq}"),
            "State": html_table.Badge(formatting.humanize(retrain.state), _state_color(retrain)),
            "Cause": retrain.cause,
            "Asked": timestamp(retrain.asked_at, page.user_time_zone()),
            "Asked by": retrain.asked_by,
            "New labels": retrain.n_labels,
            "Version": _version_cell(retrain.version),
            "Trial": "" if retrain.trial is None else timeline_panel.subject_cell(f"trial {retrain.trial}"),
        }
        for retrain in retrains
    ]
    page.show_table(rows, caption="Retrains, newest first")
    by_number = {retrain.seq: retrain for retrain in retrains}
    number = address.choose(
        st.selectbox,
        list(by_number),
        parameter="retrain",
        key="loop_retrain",
        default=retrains[0].seq,
        format_func=lambda number: f"Retrain {number}, {formatting.humanize(by_number[number].state)}",
        label="Retrain",
    )
    _show_retrain(by_number[number])


def _state_color(retrain: Retrain) -> str:
    return _STATE_COLORS.get(retrain.state, "blue" if retrain.is_open else "gray")


def _version_cell(version: int | None) -> html_table.Link | str:
    if version is None:
        return ""
    return html_table.Link(f"Version {version}", links.page_address("models", version=version))


def _show_retrain(retrain: Retrain) -> None:
    st.markdown(f"### Retrain {retrain.seq} :{_state_color(retrain)}-badge[{formatting.humanize(retrain.state)}]")
    _show_links(retrain)
    values = {label: getattr(retrain, name) for name, label in _RESULTS.items()}
    if retrain.cpu_s is not None:
        values["Processor time"] = format_duration(round(retrain.cpu_s * 1_000_000))
    values["Last change"] = timestamp(retrain.changed_at, page.user_time_zone())
    page.show_facts({name: value for name, value in values.items() if value is not None})
    if retrain.facts:
        with st.expander("Evidence", expanded=True):
            page.show_facts(retrain.facts)


def _show_links(retrain: Retrain) -> None:
    """Link what a retrain is about: its version, its trial, its decisions, and the incidents open when it was asked."""
    subject = f"retrain {retrain.seq}"
    trial = "none" if retrain.trial is None else timeline_panel.subject_cell(f"trial {retrain.trial}")
    row = {
        "Version": _version_cell(retrain.version) or "none",
        "Trial": trial,
        "Decisions": html_table.Link(
            f"All of {subject}", links.page_address("loop", show="everything", subject=subject)
        ),
    }
    page.show_table([row], caption=f"What {subject} is about")
    incidents = [
        {
            "Incident": html_table.Link(
                f"Incident {incident.seq}", links.page_address("incidents", incident=incident.seq)
            ),
            "Severity": incident.severity,
            "Title": formatting.shorten(incident.title, 160),
        }
        for incident in loop_queries.incidents_at(retrain.model, retrain.asked_at)
    ]
    if incidents:
        st.markdown("**Incidents that were open when the retrain was asked for**")
        page.show_table(incidents, caption="Incidents that were open when the retrain was asked for")
