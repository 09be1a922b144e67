"""The panel of sweeps: their trials, the objective of each, and the best trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pipeline.project.engine_files import stage_command
from pipeline.text import timestamp
from pipeline.tracking import run_comparison

from ... import address, formatting, page, queries
from ...page_charts import run_charts

if TYPE_CHECKING:
    from pipeline.tracking.run_search import RecordedRun

__all__ = ["show_sweeps"]

_REFRESH_S = 10


def show_sweeps(runs: list[RecordedRun]) -> None:
    """Show the sweeps among the runs, newest first; a running sweep refreshes itself."""
    sweeps = [run for run in runs if run.tags.get("mlops.kind") == "sweep"]
    st.markdown("### Sweeps")
    if not sweeps:
        st.caption(f"None yet: `{stage_command('train')} -m model=logistic_regression,naive_bayes seed=1,2`")
        return
    by_id = {run.run_id: run for run in sweeps}
    sweep_id = address.choose(
        st.selectbox,
        list(by_id),
        parameter="sweep",
        key="experiment_sweep",
        default=sweeps[0].run_id,
        format_func=lambda run_id: _sweep_label(by_id[run_id]),
        label="Sweep",
    )
    is_running = by_id[sweep_id].status == "RUNNING"
    page.refresh_every(
        _REFRESH_S if is_running else None, lambda: _show_progress(sweep_id, queries.runs() if is_running else runs)
    )


def _sweep_label(run: RecordedRun) -> str:
    started = timestamp(run.started_ms * 1000, page.user_time_zone())
    return f"{formatting.shorten(run.name)}, {started}, {run.status.lower()}"


def _show_progress(sweep_id: str, runs: list[RecordedRun]) -> None:
    sweep = next(run for run in runs if run.run_id == sweep_id)
    trials = sorted(
        (run for run in runs if run.tags.get("mlflow.parentRunId") == sweep_id), key=lambda run: run.started_ms
    )
    objective = sweep.tags.get("mlops.objective", "")
    scores = [(run, run.metrics.get(f"cv.{objective}")) for run in trials]
    n_trials = {status: sum(run.status == status for run in trials) for status in ("FINISHED", "RUNNING", "FAILED")}
    statuses = ", ".join(f"**{n}** {status.lower()}" for status, n in n_trials.items() if n or status == "FINISHED")
    best = sweep.tags.get("mlops.best")
    st.markdown(f"Trials: {statuses}" + (f". Best: {formatting.escape_markdown(best)}" if best else ""))
    finished = [(at, value, run) for at, (run, value) in enumerate(scores, 1) if value is not None]
    if not finished:
        st.caption("No trial has finished yet.")
        return
    column = f"metrics.cv.{objective}"
    best_run = run_comparison.best_run(trials, column)
    rows = [
        (at, value, formatting.shorten(run.tags.get("mlops.varies", run.name)), run == best_run)
        for at, value, run in finished
    ]
    title = run_comparison.column_label(column)
    chart = run_charts.trial_scores(pd.DataFrame(rows, columns=["trial", "value", "name", "is_best"]), title=title)
    page.show_chart(chart, alt="Objective by trial; the best trial is marked")
    table = pd.DataFrame(
        [
            {"Best": "★" if is_best else "", "Trial": at, title: value, "Overrides": name}
            for at, value, name, is_best in rows
        ]
    )
    page.show_grid(table.assign(Run=[run.run_id[:8] for *_, run in finished]))
    st.caption("Adopt a trial: `mlops tracking adopt RUN --as NAME`, then `dvc exp run -S experiment=NAME`")
