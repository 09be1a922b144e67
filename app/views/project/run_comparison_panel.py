"""The panel that compares up to ten runs: settings that differ, metrics with differences, and curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pipeline.errors import MlopsError
from pipeline.metrics.metric_labels import metric_label
from pipeline.text import timestamp
from pipeline.tracking import run_comparison

from ... import formatting, html_table, links, page, queries
from ...page_charts import run_charts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlit.delta_generator import DeltaGenerator

    from pipeline.tracking.run_comparison import ComparedMetric
    from pipeline.tracking.run_search import RecordedRun

__all__ = ["MAX_COMPARED", "run_label", "run_titles", "run_version", "show_comparison"]

MAX_COMPARED, _MAX_BESIDE = 10, 3
# Title, columns of the file, and whether a diagonal is the reference.
_CURVES = {
    "roc": ("ROC curve", "false_positive_rate", "true_positive_rate", True),
    "pr": ("Precision-recall curve", "recall", "precision", False),
    "calibration": ("Calibration", "predicted", "observed", True),
}
_PLACES = {"test": "Metrics on test rows", "cv": "Metrics of cross-validation"}


def run_label(run: RecordedRun) -> str:
    """Return the name of a run with the start of its id, which is unique."""
    return f"{formatting.shorten(run.name, 40)} ({run.run_id[:8]})"


def run_version(run: RecordedRun, versions: Mapping[str, int]) -> int | None:
    """Return the version that a run registered, by digest of its package; None without one."""
    return versions.get(run.tags.get("mlops.package", ""))


def show_comparison(runs: list[RecordedRun], *, versions: Mapping[str, int], is_default: bool) -> None:
    """Compare runs with the first of them.

    Parameters
    ----------
    runs : list of RecordedRun
        Selected runs; only the first ten are compared.
    versions : mapping
        Number by digest of each registered version.
    is_default : bool
        Whether no runs were selected, and these are the newest two.
    """
    st.markdown("### Compare runs")
    if len(runs) < 2:
        st.caption("There is no second run; train another model: `dvc exp run -S model=random_forest`")
        return
    if is_default:
        st.caption("The two newest runs with curves. Select 2 to 10 rows of the table to compare others.")
    if len(runs) > MAX_COMPARED:
        st.warning(f"The first {MAX_COMPARED} of {len(runs)} selected runs are compared.")
    compared = runs[:MAX_COMPARED]
    _show_compared_runs(compared, versions)
    _show_settings(compared)
    _show_metrics(compared)
    _show_curves(compared)


def _show_compared_runs(runs: list[RecordedRun], versions: Mapping[str, int]) -> None:
    rows = [
        {
            "Number": number,
            "Run": run.name,
            "Id": run.run_id[:8],
            "Kind": run_comparison.run_kind(run) or "-",
            "Started": timestamp(run.started_ms * 1000, page.user_time_zone()),
            "Version": _version_link(run_version(run, versions)),
        }
        for number, run in enumerate(runs, 1)
    ]
    page.show_table(rows, caption="Runs that are compared")
    registered = [version for run in runs if (version := run_version(run, versions)) is not None]
    if len(registered) >= 2:
        first, second = sorted(registered[:2])
        links.show_link(
            f"Compare version {first} with version {second} by paired intervals and gates",
            "compare",
            icon="compare_arrows",
            first=first,
            second=second,
        )


def _version_link(version: int | None) -> html_table.Link | str:
    if version is None:
        return "not registered"
    return html_table.Link(f"Version {version}", links.page_address("models", version=version))


def run_titles(runs: list[RecordedRun]) -> list[str]:
    """Return number and name of each run; the name of the data is left out if all runs have the same."""
    parts = [run.name.rpartition(" on ") for run in runs]
    is_same = len({data for _, _, data in parts}) == 1 and all(name for name, _, _ in parts)
    names = [name if is_same else run.name for (name, _, _), run in zip(parts, runs, strict=True)]
    return [f"{number}: {formatting.shorten(name, 40)}" for number, name in enumerate(names, 1)]


def _show_settings(runs: list[RecordedRun]) -> None:
    st.markdown("**Settings that differ**")
    titles = run_titles(runs)
    rows = [
        {"Setting": key, **dict(zip(titles, map(formatting.setting_text, values), strict=True))}
        for key, values in run_comparison.differing_settings(runs)
    ]
    if rows:
        page.show_table(rows, caption="Settings that differ")
    else:
        st.caption("None: equal settings.")


def _show_metrics(runs: list[RecordedRun]) -> None:
    metrics = run_comparison.compare_metrics(runs)
    by_place = {
        place: [metric for metric in metrics if run_comparison.metric_place(metric.name) == place]
        for place in ("test", "cv", "")
    }
    for column, (place, title) in zip(_containers(len(runs)), _PLACES.items(), strict=True):
        with column:
            st.markdown(f"**{title}**")
            _show_metric_table(runs, by_place[place], title)
    st.caption("In brackets: difference to run 1. Green: best value. A difference here has no interval.")
    others = [metric for metric in by_place[""] if len(set(metric.values)) > 1]
    if others:
        with st.expander("Other metrics that differ"):
            _show_metric_table(runs, others, "Other metrics that differ")


def _containers(n_runs: int) -> list[DeltaGenerator]:
    """Return two places beside each other for a few runs, otherwise one below the other."""
    return list(st.columns(2)) if n_runs <= _MAX_BESIDE else [st.container(), st.container()]


def _show_metric_table(runs: list[RecordedRun], metrics: list[ComparedMetric], title: str) -> None:
    rows = [
        {
            "Metric": metric_label(metric.name.removeprefix("test.").removeprefix("cv.")),
            **dict(zip(run_titles(runs), _metric_cells(metric), strict=True)),
        }
        for metric in metrics
    ]
    if rows:
        page.show_table(rows, caption=title)
    else:
        st.caption("Not recorded by these runs.")


def _metric_cells(metric: ComparedMetric) -> list[html_table.Badge | str]:
    cells: list[html_table.Badge | str] = []
    for at, (value, difference) in enumerate(zip(metric.values, metric.differences, strict=True)):
        text = formatting.format_number(value)
        if at and difference is not None:
            text = f"{text} ({difference:+.4f})"
        cells.append(html_table.Badge(text, "green") if at in metric.best else text)
    return cells


def _show_curves(runs: list[RecordedRun]) -> None:
    """Overlay the test-set curves of the runs that recorded them."""
    curves_by_run = {}
    for title, run in zip(run_titles(runs), runs, strict=True):
        if not run_comparison.has_curves(run):
            continue
        try:
            curves_by_run[title] = queries.load_run_evaluation(run.run_id).curves
        except MlopsError:
            continue
    if not curves_by_run:
        st.caption("No curves: sweep trials log cross-validation metrics only.")
        return
    st.markdown("**Curves on test rows**")
    for column, (name, (title, x, y, has_diagonal)) in zip(st.columns(len(_CURVES)), _CURVES.items(), strict=True):
        parts = [
            curves[name][[x, y]].set_axis(["across", "up"], axis=1).assign(run=label)
            for label, curves in curves_by_run.items()
            if name in curves and not curves[name].empty
        ]
        with column, st.container(border=True):
            st.markdown(f"**{title}**")
            if parts:
                titles = [formatting.humanize(axis).capitalize() for axis in (x, y)]
                chart = run_charts.overlaid_curves(
                    pd.concat(parts), x=titles[0], y=titles[1], has_diagonal=has_diagonal
                )
                page.show_chart(chart, alt=f"{title} of each compared run")
            else:
                st.caption("Not recorded.")
