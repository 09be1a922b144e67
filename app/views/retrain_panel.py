"""The panel of retrains: why each was asked for, how far it came, and what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import address, formatting, page
from pipeline.text import format_duration, timestamp

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
            "Retrain": retrain.seq,
            "State": retrain.state,
            "Cause": retrain.cause,
            "Asked": timestamp(retrain.asked_at, page.user_time_zone()),
            "Asked by": retrain.asked_by,
            "New labels": retrain.n_labels,
            "Version": retrain.version,
            "Trial": retrain.trial,
        }
        for retrain in retrains
    ]
    page.show_table(pd.DataFrame(rows))
    by_number = {retrain.seq: retrain for retrain in retrains}
    number = address.choose(
        st.selectbox,
        list(by_number),
        parameter="retrain",
        key="loop_retrain",
        default=retrains[0].seq,
        format_func=lambda number: f"Retrain {number}, {by_number[number].state}",
        label="Retrain",
    )
    _show_retrain(by_number[number])


def _show_retrain(retrain: Retrain) -> None:
    color = _STATE_COLORS.get(retrain.state, "blue" if retrain.is_open else "gray")
    st.markdown(f"### Retrain {retrain.seq} :{color}-badge[{formatting.humanize(retrain.state)}]")
    values = {label: getattr(retrain, name) for name, label in _RESULTS.items()}
    if retrain.cpu_s is not None:
        values["Processor time"] = format_duration(round(retrain.cpu_s * 1_000_000))
    values["Last change"] = timestamp(retrain.changed_at, page.user_time_zone())
    page.show_facts({name: value for name, value in values.items() if value is not None})
    if retrain.facts:
        with st.expander("Evidence", expanded=True):
            page.show_facts(retrain.facts)
