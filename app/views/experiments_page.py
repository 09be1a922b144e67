"""The runs: all of them with their figures, and any two side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import formatting, page, queries, run_charts
from app.views import sweep_panel
from pipeline.errors import MlopsError
from pipeline.text import pluralize, timestamp
from pipeline.tracking.run_search import runs_table

if TYPE_CHECKING:
    from pipeline.tracking.run_search import RecordedRun

__all__ = ["render"]

_MAX_CHART_RUNS = 60
_CURVE_AXES = {
    "roc": ("Found against false alarms", "false_positive_rate", "true_positive_rate"),
    "pr": ("Right when called against found", "recall", "precision"),
    "calibration": ("What it said against what came true", "predicted", "observed"),
}


def render() -> None:
    """Show the page."""
    page.render_page("Experiments", "Every recorded run, how they compare, and what made the difference.", _render_body)


def _render_body() -> None:
    found = queries.runs()
    address = queries.mlflow_address()
    with st.container(horizontal=True):
        st.markdown(
            f"**{pluralize(len(found), 'run')}** in `{formatting.shorten(queries.config().tracking.experiment)}`"
        )
        if address is not None:
            st.link_button("Open MLflow", address, icon=":material/open_in_new:")
        else:
            st.caption("For MLflow's own pages: `mlflow ui --backend-store-uri sqlite:///mlflow.db`")
    if not found:
        page.empty_state(
            "No run yet",
            "run `make run`, or a sweep: `python -m stages.train -m model=logistic_regression,random_forest`",
        )
        return
    chosen = _select_runs(found)
    _show_parallel_coordinates(found)
    page.error_boundary(lambda: sweep_panel.show_sweeps(found))
    _compare_two_runs([run for run in found if run.tags.get("mlops.kind") not in ("monitoring", "sweep")], chosen)


def _metric_names(runs: list[RecordedRun]) -> list[str]:
    """Return the figures that most runs have, those of the test rows and of the folds first."""
    names = {name for run in runs for name in run.metrics if ".baselines." not in name}
    counted = {name: sum(name in run.metrics for run in runs) for name in names}
    return sorted(names, key=lambda name: (-counted[name], not name.startswith("test."), name))


def _run_label(run: RecordedRun) -> str:
    return f"{formatting.shorten(run.name, 40)} ({run.run_id[:8]})"


def _select_runs(found: list[RecordedRun]) -> list[RecordedRun]:
    """Show the runs; return those that are marked."""
    names = _metric_names(found)
    default = [name for name in names if name.endswith((".log_loss", ".roc_auc", ".accuracy", ".ece"))][:4] or names[:4]
    shown = st.multiselect("Figures", names, default=default, key="experiment_metrics", format_func=formatting.humanize)
    rows = [
        {
            "Run": formatting.shorten(run.name),
            "Id": run.run_id[:8],
            "Kind": run.tags.get("mlops.kind", "-"),
            "Status": run.status.lower(),
            "Started": timestamp(run.started_ms * 1000, page.user_time_zone()),
            "Took": f"{(run.ended_ms - run.started_ms) / 1000:,.1f} s" if run.ended_ms is not None else "-",
            **{formatting.humanize(name): run.metrics.get(name) for name in shown},
        }
        for run in found
    ]
    digits: dict[str, Any] = {formatting.humanize(name): st.column_config.NumberColumn(format="%.4f") for name in shown}
    digits |= page.time_columns("Started")
    marked = page.show_table(
        pd.DataFrame(rows), column_config=digits, on_select="rerun", selection_mode="multi-row", key="experiment_rows"
    )
    return [found[at] for at in marked.selection.rows if at < len(found)]


def _show_parallel_coordinates(found: list[RecordedRun]) -> None:
    figures = runs_table(found)
    varied = [name for name in figures.columns if name.startswith("params.") and _varies_numerically(figures[name])]
    names = st.session_state.get("experiment_metrics", [])
    columns = [*varied[:6], *(f"metrics.{name}" for name in names if f"metrics.{name}" in figures.columns)]
    if len(found) < 2 or len(columns) < 2:
        return
    with st.expander("Settings and figures of all runs at a glance", expanded=True):
        drawn = figures.head(_MAX_CHART_RUNS).assign(run=[_run_label(run) for run in found[:_MAX_CHART_RUNS]])
        spoken = drawn.rename(columns={name: name.partition(".")[2] for name in columns})
        page.show_chart(
            run_charts.parallel_coordinates(spoken, [name.partition(".")[2] for name in columns]),
            alt="A line for each run",
        )
        if len(found) > _MAX_CHART_RUNS:
            st.caption(f"The newest {_MAX_CHART_RUNS} of {len(found):,} runs are drawn.")


def _varies_numerically(column: pd.Series) -> bool:
    values = pd.to_numeric(column, errors="coerce")
    return bool(values.notna().all() and len(values.unique()) > 1)


def _compare_two_runs(found: list[RecordedRun], selected: list[RecordedRun]) -> None:
    st.markdown("### Two runs side by side")
    if len(found) < 2:
        st.caption("There is only one run; train another model: `dvc exp run -S model=random_forest`")
        return
    wanted = [run for run in selected if run in found]
    first, second = (wanted + [run for run in found if run not in wanted])[:2]
    labels = [_run_label(run) for run in found]
    left, right = st.columns(2)
    one = left.selectbox(
        "First", range(len(found)), found.index(first), format_func=labels.__getitem__, key=f"first_{first.run_id}"
    )
    other = right.selectbox(
        "Second", range(len(found)), found.index(second), format_func=labels.__getitem__, key=f"second_{second.run_id}"
    )
    _show_differences(found[one], found[other])
    _show_curves([found[one], found[other]])


def _show_differences(first: RecordedRun, second: RecordedRun) -> None:
    settings, figures = st.columns(2)
    with settings:
        st.markdown("**Settings that differ**")
        keys = sorted({*first.params, *second.params})
        rows = [(key, first.params.get(key, "-"), second.params.get(key, "-")) for key in keys]
        differing = [(key, formatting.setting_text(a), formatting.setting_text(b)) for key, a, b in rows if a != b]
        if differing:
            page.show_table(pd.DataFrame(differing, columns=["Setting", "First", "Second"]))
        else:
            st.caption("None: equal settings.")
    with figures:
        st.markdown("**Figures of both**")
        names = [name for name in _metric_names([first, second]) if name in first.metrics and name in second.metrics]
        pairs = [(formatting.humanize(name), first.metrics[name], second.metrics[name]) for name in names]
        compared = [
            (name, formatting.format_number(a), formatting.format_number(b), f"{b - a:+.4f}") for name, a, b in pairs
        ]
        if compared:
            page.show_table(pd.DataFrame(compared, columns=["Figure", "First", "Second", "Second minus first"]))
        else:
            st.caption("They have no figure in common.")


def _show_curves(chosen: list[RecordedRun]) -> None:
    """Draw the curves on the test rows of those runs that recorded them, one over the other."""
    recorded = {}
    for run in chosen:
        try:
            recorded[_run_label(run)] = queries.evaluation_of_run(run.run_id).curves
        except MlopsError:
            continue
    if not recorded:
        st.caption("Neither recorded curves: runs of the whole graph do, trials have folds alone.")
        return
    for place, (name, (title, x, y)) in zip(st.columns(len(_CURVE_AXES)), _CURVE_AXES.items(), strict=True):
        parts = [
            curves[name][[x, y]].set_axis(["across", "up"], axis=1).assign(run=label)
            for label, curves in recorded.items()
            if name in curves and not curves[name].empty
        ]
        with place, st.container(border=True):
            st.markdown(f"**{title}**")
            if parts:
                titles = [formatting.humanize(one).capitalize() for one in (x, y)]
                page.show_chart(run_charts.overlaid_curves(pd.concat(parts), x=titles[0], y=titles[1]), alt=title)
            else:
                st.caption("Not recorded.")
