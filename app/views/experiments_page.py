"""The experiments page: recorded runs with their metrics, and the comparison of two runs."""

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
    "roc": ("ROC curve", "false_positive_rate", "true_positive_rate"),
    "pr": ("Precision-recall curve", "recall", "precision"),
    "calibration": ("Calibration", "predicted", "observed"),
}


def render() -> None:
    """Show the page."""
    page.render_page("Experiments", "Runs, metrics and comparison.", _render_body)


def _render_body() -> None:
    runs = queries.runs()
    address = queries.mlflow_address()
    with st.container(horizontal=True):
        st.markdown(
            f"**{pluralize(len(runs), 'run')}** in `{formatting.shorten(queries.config().tracking.experiment)}`"
        )
        if address is not None:
            st.link_button("Open MLflow", address, icon=":material/open_in_new:")
        else:
            st.caption("To open MLflow: `mlflow ui --backend-store-uri sqlite:///mlflow.db`")
    if not runs:
        page.empty_state(
            "No runs yet",
            "run `make run`, or a sweep: `python -m stages.train -m model=logistic_regression,random_forest`",
        )
        return
    selected = _select_runs(runs)
    _show_parallel_coordinates(runs)
    page.error_boundary(lambda: sweep_panel.show_sweeps(runs))
    _compare_two_runs([run for run in runs if run.tags.get("mlops.kind") not in ("monitoring", "sweep")], selected)


def _metric_names(runs: list[RecordedRun]) -> list[str]:
    """Return the metric names, most frequent first, then those of the test set."""
    names = {name for run in runs for name in run.metrics if ".baselines." not in name}
    n_runs = {name: sum(name in run.metrics for run in runs) for name in names}
    return sorted(names, key=lambda name: (-n_runs[name], not name.startswith("test."), name))


def _run_label(run: RecordedRun) -> str:
    return f"{formatting.shorten(run.name, 40)} ({run.run_id[:8]})"


def _select_runs(runs: list[RecordedRun]) -> list[RecordedRun]:
    """Show the runs and return the selected ones."""
    names = _metric_names(runs)
    default = [name for name in names if name.endswith((".log_loss", ".roc_auc", ".accuracy", ".ece"))][:4] or names[:4]
    metrics = st.multiselect(
        "Metrics", names, default=default, key="experiment_metrics", format_func=formatting.humanize
    )
    rows = [
        {
            "Run": formatting.shorten(run.name),
            "Id": run.run_id[:8],
            "Kind": run.tags.get("mlops.kind", "-"),
            "Status": run.status.lower(),
            "Started": timestamp(run.started_ms * 1000, page.user_time_zone()),
            "Duration": f"{(run.ended_ms - run.started_ms) / 1000:,.1f} s" if run.ended_ms is not None else "-",
            **{formatting.humanize(name): run.metrics.get(name) for name in metrics},
        }
        for run in runs
    ]
    columns: dict[str, Any] = {
        formatting.humanize(name): st.column_config.NumberColumn(format="%.4f") for name in metrics
    }
    columns |= page.time_columns("Started")
    selected = page.show_grid(
        pd.DataFrame(rows), column_config=columns, on_select="rerun", selection_mode="multi-row", key="experiment_rows"
    )
    return [runs[at] for at in selected.selection.rows if at < len(runs)]


def _show_parallel_coordinates(runs: list[RecordedRun]) -> None:
    table = runs_table(runs)
    varied = [name for name in table.columns if name.startswith("params.") and _varies_numerically(table[name])]
    names = st.session_state.get("experiment_metrics", [])
    columns = [*varied[:6], *(f"metrics.{name}" for name in names if f"metrics.{name}" in table.columns)]
    if len(runs) < 2 or len(columns) < 2:
        return
    with st.expander("Settings and metrics of all runs", expanded=True):
        newest = table.head(_MAX_CHART_RUNS).assign(run=[_run_label(run) for run in runs[:_MAX_CHART_RUNS]])
        renamed = newest.rename(columns={name: name.partition(".")[2] for name in columns})
        page.show_chart(
            run_charts.parallel_coordinates(renamed, [name.partition(".")[2] for name in columns]),
            alt="A line for each run",
        )
        if len(runs) > _MAX_CHART_RUNS:
            st.caption(f"Newest {_MAX_CHART_RUNS} of {len(runs):,} runs.")


def _varies_numerically(column: pd.Series) -> bool:
    values = pd.to_numeric(column, errors="coerce")
    return bool(values.notna().all() and len(values.unique()) > 1)


def _compare_two_runs(runs: list[RecordedRun], selected: list[RecordedRun]) -> None:
    st.markdown("### Compare two runs")
    if len(runs) < 2:
        st.caption("There is no second run; train another model: `dvc exp run -S model=random_forest`")
        return
    preferred = [run for run in selected if run in runs]
    first, second = (preferred + [run for run in runs if run not in preferred])[:2]
    labels = [_run_label(run) for run in runs]
    left, right = st.columns(2)
    first_at = left.selectbox(
        "First", range(len(runs)), runs.index(first), format_func=labels.__getitem__, key=f"first_{first.run_id}"
    )
    second_at = right.selectbox(
        "Second", range(len(runs)), runs.index(second), format_func=labels.__getitem__, key=f"second_{second.run_id}"
    )
    _show_differences(runs[first_at], runs[second_at])
    _show_curves([runs[first_at], runs[second_at]])


def _show_differences(first: RecordedRun, second: RecordedRun) -> None:
    settings, metrics = st.columns(2)
    with settings:
        st.markdown("**Settings that differ**")
        keys = sorted({*first.params, *second.params})
        rows = [(key, first.params.get(key, "-"), second.params.get(key, "-")) for key in keys]
        differing = [(key, formatting.setting_text(a), formatting.setting_text(b)) for key, a, b in rows if a != b]
        if differing:
            page.show_table(pd.DataFrame(differing, columns=["Setting", "First", "Second"]))
        else:
            st.caption("None: equal settings.")
    with metrics:
        st.markdown("**Metrics of both runs**")
        names = [name for name in _metric_names([first, second]) if name in first.metrics and name in second.metrics]
        pairs = [(formatting.humanize(name), first.metrics[name], second.metrics[name]) for name in names]
        compared = [
            (name, formatting.format_number(a), formatting.format_number(b), f"{b - a:+.4f}") for name, a, b in pairs
        ]
        if compared:
            page.show_table(pd.DataFrame(compared, columns=["Metric", "First", "Second", "Second - first"]))
        else:
            st.caption("The runs have no metric in common.")


def _show_curves(runs: list[RecordedRun]) -> None:
    """Overlay the test-set curves of the runs that recorded them."""
    curves_by_run = {}
    for run in runs:
        try:
            curves_by_run[_run_label(run)] = queries.load_run_evaluation(run.run_id).curves
        except MlopsError:
            continue
    if not curves_by_run:
        st.caption("No curves: sweep trials log cross-validation metrics only.")
        return
    for column, (name, (title, x, y)) in zip(st.columns(len(_CURVE_AXES)), _CURVE_AXES.items(), strict=True):
        parts = [
            curves[name][[x, y]].set_axis(["across", "up"], axis=1).assign(run=label)
            for label, curves in curves_by_run.items()
            if name in curves and not curves[name].empty
        ]
        with column, st.container(border=True):
            st.markdown(f"**{title}**")
            if parts:
                titles = [formatting.humanize(axis).capitalize() for axis in (x, y)]
                page.show_chart(run_charts.overlaid_curves(pd.concat(parts), x=titles[0], y=titles[1]), alt=title)
            else:
                st.caption("Not recorded.")
