"""How sweeps go: which trials there are, what each found, and which is the best until now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import formatting, page, queries, run_charts
from pipeline.text import timestamp

if TYPE_CHECKING:
    from pipeline.tracking.run_search import RecordedRun

__all__ = ["show_sweeps"]

_REFRESH_S = 10


def show_sweeps(runs: list[RecordedRun]) -> None:
    """Show the sweeps among the runs, newest first; one that is still running is looked at again by itself."""
    sweeps = [run for run in runs if run.tags.get("mlops.kind") == "sweep"]
    st.markdown("### Sweeps")
    if not sweeps:
        st.caption("None yet: `python -m stages.train -m model=logistic_regression,naive_bayes seed=1,2`")
        return
    by_id = {run.run_id: run for run in sweeps}
    chosen = st.selectbox("Sweep", list(by_id), format_func=lambda one: _sweep_label(by_id[one]), key="sweep")
    is_running = by_id[chosen].status == "RUNNING"

    @st.fragment(run_every=_REFRESH_S if is_running else None)
    def look() -> None:
        page.error_boundary(lambda: _show_progress(chosen, queries.runs() if is_running else runs))

    look()


def _sweep_label(run: RecordedRun) -> str:
    return f"{formatting.shorten(run.name)}, {timestamp(run.started_ms * 1000, page.user_time_zone())}, {run.status.lower()}"


def _show_progress(sweep_id: str, runs: list[RecordedRun]) -> None:
    sweep = next(run for run in runs if run.run_id == sweep_id)
    trials = sorted(
        (run for run in runs if run.tags.get("mlflow.parentRunId") == sweep_id), key=lambda run: run.started_ms
    )
    objective = sweep.tags.get("mlops.objective", "")
    found = [(run, run.metrics.get(f"cv.{objective}")) for run in trials]
    counted = {status: sum(run.status == status for run in trials) for status in ("FINISHED", "RUNNING", "FAILED")}
    told = ", ".join(f"**{n}** {status.lower()}" for status, n in counted.items() if n or status == "FINISHED")
    best = sweep.tags.get("mlops.best")
    st.markdown(f"Trials: {told}" + (f". The best: {formatting.escape_markdown(best)}" if best else ""))
    known = [(at, value, run) for at, (run, value) in enumerate(found, 1) if value is not None]
    if not known:
        st.caption("No trial has ended yet.")
        return
    rows = [(at, value, formatting.shorten(run.tags.get("mlops.varies", run.name))) for at, value, run in known]
    drawn = run_charts.trial_scores(
        pd.DataFrame(rows, columns=["trial", "value", "name"]), title=formatting.humanize(objective)
    )
    page.show_chart(drawn, alt="Objective by trial")
    table = pd.DataFrame(rows, columns=["Trial", formatting.humanize(objective), "What it varies"])
    page.show_table(table.assign(Run=[run.run_id[:8] for *_, run in known]))
    st.caption("Keep one: `mlops tracking adopt RUN --as NAME`, then `dvc exp run -S experiment=NAME`")
