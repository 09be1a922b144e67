"""How good a version is on rows that it never saw: figures, baselines, importance, slices, calibration, curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import charts, formatting, page, queries
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from app.queries import VersionEvaluation
    from pipeline.state import ModelVersion

__all__ = ["show_version_metrics"]


def show_version_metrics(version: ModelVersion) -> None:
    """Show the evaluation of a version, or say why there is none."""
    found = queries.evaluation_of(version.digest)
    if found is None:
        page.empty_state(
            "The evaluation of this version is not at hand",
            "it is in MLflow when the run was recorded: `mlops tracking sync`, or look at the model card",
        )
        return
    report = found.report
    st.caption(
        f"On {pluralize(report['rows']['test'], 'row')} that it never saw, with {percent(report['confidence_level'])} intervals;"
        f" it learned from {report['rows']['train']:,}."
    )
    _show_metrics(report)
    titles = {one.name: one.label for one in queries.load_package(version.digest).schema.columns}
    left, right = st.columns(2)
    with left, st.container(border=True):
        _show_importance(report, titles)
    with right, st.container(border=True):
        _show_slices(report, titles)
    left, right = st.columns(2)
    with left, st.container(border=True):
        _show_calibration(found)
    with right, st.container(border=True):
        _show_confusion_matrix(report)
    _show_curves(found)


def _show_metrics(report: dict[str, Any]) -> None:
    baselines = report["baselines"]
    rows = [
        {
            "Figure": formatting.humanize(name),
            "Value": formatting.format_number(one["value"]),
            "From": formatting.format_number(one["low"]),
            "To": formatting.format_number(one["high"]),
            "Better is": "higher" if one["higher_is_better"] else "lower",
            "Unit": one["unit"],
            **{
                formatting.humanize(base): formatting.format_number(given["metrics"].get(name))
                for base, given in baselines.items()
            },
        }
        for name, one in report["metrics"].items()
    ]
    page.show_table(pd.DataFrame(rows))


def _show_importance(report: dict[str, Any], titles: dict[str, str]) -> None:
    metric = formatting.humanize(report["selection_metric"])
    st.markdown("**What it looks at**", help=f"How much the {metric} worsens when a column is shuffled")
    rows = [
        (formatting.shorten(titles[one["column"]]), one["mean"], one["low"], one["high"])
        for one in report["importance"]
    ]
    found = pd.DataFrame(rows, columns=["name", "value", "low", "high"]).dropna()
    if found.empty:
        st.caption("No importance could be measured.")
        return
    page.show_chart(
        charts.interval_plot(found, title=f"{metric.capitalize()} worsens by", reference=0.0),
        alt="Importance of columns",
    )


def _show_slices(report: dict[str, Any], titles: dict[str, str]) -> None:
    metric = formatting.humanize(report["selection_metric"])
    st.markdown("**Where it is weakest**", help="Parts of the test rows, worst first; the dashed line is all rows")
    rows = [
        (formatting.shorten(f"{titles[one['column']]}: {one['part']}"), one["value"], one["low"], one["high"])
        for one in report["slices"][:12]
    ]
    found = pd.DataFrame(rows, columns=["name", "value", "low", "high"]).dropna()
    if found.empty:
        st.caption(f"Too few rows to be judged: {pluralize(len(report['too_small_slices']), 'part')}.")
        return
    overall = report["metrics"].get(report["slices"][0]["metric"], {}).get("value")
    page.show_chart(
        charts.interval_plot(found, title=metric.capitalize(), reference=overall), alt="Worst parts of the rows"
    )


def _show_calibration(found: VersionEvaluation) -> None:
    st.markdown(
        "**Does it keep its word?**", help="Of rows called 80 % likely, about 80 % should come true: the dashed line"
    )
    table = found.curves.get("calibration")
    if table is None or table.empty:
        st.caption("No curve was drawn for this version.")
        return
    page.show_chart(charts.calibration_curve(table), alt="Observed share by predicted probability")


def _show_confusion_matrix(report: dict[str, Any]) -> None:
    st.markdown("**Its mistakes**", help="Rows by what they are (down) and what they were called (across)")
    classes = [formatting.shorten(name, 30) for name in report["target"]["classes"]]
    rows = [
        (actual, predicted, count)
        for actual, counts in zip(classes, report["confusion"], strict=True)
        for predicted, count in zip(classes, counts, strict=True)
    ]
    page.show_chart(
        charts.confusion_matrix(pd.DataFrame(rows, columns=["actual", "predicted", "rows"])), alt="Confusion matrix"
    )


def _show_curves(found: VersionEvaluation) -> None:
    shown = [
        ("roc", "Found against false alarms", "false_positive_rate", "true_positive_rate", True),
        ("pr", "Right when called against found", "recall", "precision", False),
    ]
    for place, (name, title, x, y, diagonal) in zip(st.columns(2), shown, strict=True):
        table = found.curves.get(name)
        with place, st.container(border=True):
            st.markdown(f"**{title}**")
            if table is None or table.empty:
                st.caption("Not defined: the test rows are all of one class.")
            else:
                page.show_chart(charts.line_curve(table, x=x, y=y, diagonal=diagonal), alt=title)
