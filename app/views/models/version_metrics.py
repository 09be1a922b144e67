"""The evaluation of a version on the test rows: metrics, baselines, importance, slices, calibration and curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.metrics.metric_labels import METRIC_EXPLANATIONS, metric_label
from pipeline.text import percent, pluralize

from ... import charts, formatting, page, queries

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

    from ...page_queries.version_evaluation import VersionEvaluation

__all__ = ["show_version_metrics"]


def show_version_metrics(version: ModelVersion) -> None:
    """Show the evaluation of a version, or where to find it."""
    evaluation = queries.find_package_evaluation(version.digest)
    if evaluation is None:
        page.empty_state(
            "The evaluation of this version is not available",
            "record its run in MLflow with `mlops tracking sync`, or see the model card",
        )
        return
    report = evaluation.report
    st.caption(
        f"On {pluralize(report['rows']['test'], 'row')} of the test set,"
        f" with {percent(report['confidence_level'])} intervals;"
        f" trained on {report['rows']['train']:,} rows."
    )
    _show_metrics(report)
    titles = {column.name: column.label for column in queries.load_package(version.digest).schema.columns}
    left, right = st.columns(2)
    with left, st.container(border=True):
        _show_importance(report, titles)
    with right, st.container(border=True):
        _show_slices(report, titles)
    left, right = st.columns(2)
    with left, st.container(border=True):
        _show_calibration(evaluation)
    with right, st.container(border=True):
        _show_confusion_matrix(report)
    _show_curves(evaluation)


def _show_metrics(report: dict[str, Any]) -> None:
    baselines = report["baselines"]
    rows = [
        {
            "Metric": metric_label(name),
            "Value": formatting.format_number(metric["value"]),
            "Interval": formatting.format_interval(metric),
            "Better": "higher" if metric["higher_is_better"] else "lower",
            "Unit": metric["unit"],
            **{
                formatting.humanize(name_): formatting.format_number(baseline["metrics"].get(name))
                for name_, baseline in baselines.items()
            },
        }
        for name, metric in report["metrics"].items()
    ]
    page.show_table(rows, caption="Test metrics of this version")
    with st.popover("Metrics explained", type="tertiary"):
        for name in report["metrics"]:
            st.markdown(f"**{metric_label(name)}**: {METRIC_EXPLANATIONS.get(name, name)}.")


def _show_importance(report: dict[str, Any], titles: dict[str, str]) -> None:
    metric = metric_label(report["selection_metric"])
    st.markdown("**Feature importance (permutation)**", help=f"Worsening of {metric} when a feature is shuffled")
    rows = [
        (formatting.shorten(titles[item["column"]]), item["mean"], item["low"], item["high"])
        for item in report["importance"]
    ]
    frame = pd.DataFrame(rows, columns=["name", "value", "low", "high"]).dropna()
    if frame.empty:
        st.caption("Feature importance is not defined.")
        return
    page.show_chart(
        charts.interval_plot(frame, title=f"{metric} worsens by", reference=0.0),
        alt="Feature importance",
    )


def _show_slices(report: dict[str, Any], titles: dict[str, str]) -> None:
    metric = metric_label(report["slices"][0]["metric"] if report["slices"] else report["selection_metric"])
    st.markdown("**Worst slices**", help="Slices of the test set, worst first; the dashed line is the whole set")
    rows = [
        (formatting.shorten(f"{titles[item['column']]}: {item['part']}"), item["value"], item["low"], item["high"])
        for item in report["slices"][:12]
    ]
    frame = pd.DataFrame(rows, columns=["name", "value", "low", "high"]).dropna()
    if frame.empty:
        st.caption(f"Not enough rows in {pluralize(len(report['too_small_slices']), 'slice')}.")
        return
    overall = report["metrics"].get(report["slices"][0]["metric"], {}).get("value")
    page.show_chart(charts.interval_plot(frame, title=metric, reference=overall), alt="Worst slices")


def _show_calibration(evaluation: VersionEvaluation) -> None:
    st.markdown(
        "**Calibration**", help="Of rows with a predicted probability of 80 %, about 80 % should be of the class"
    )
    table = evaluation.curves.get("calibration")
    if table is None or table.empty:
        st.caption("This version has no calibration curve.")
        return
    page.show_chart(charts.calibration_curve(table), alt="Observed frequency by predicted probability")


def _show_confusion_matrix(report: dict[str, Any]) -> None:
    st.markdown("**Confusion matrix**", help="Rows by actual class (down) and predicted class (across)")
    classes = [formatting.shorten(name, 30) for name in report["target"]["classes"]]
    rows = [
        (actual, predicted, count)
        for actual, counts in zip(classes, report["confusion"], strict=True)
        for predicted, count in zip(classes, counts, strict=True)
    ]
    page.show_chart(
        charts.confusion_matrix(pd.DataFrame(rows, columns=["actual", "predicted", "rows"])), alt="Confusion matrix"
    )


def _show_curves(evaluation: VersionEvaluation) -> None:
    curves = [
        ("roc", "ROC curve", "false_positive_rate", "true_positive_rate", True),
        ("pr", "Precision-recall curve", "recall", "precision", False),
    ]
    for column, (name, title, x, y, diagonal) in zip(st.columns(2), curves, strict=True):
        table = evaluation.curves.get(name)
        with column, st.container(border=True):
            st.markdown(f"**{title}**")
            if table is None or table.empty:
                st.caption("Not defined: all test rows are of one class.")
            else:
                page.show_chart(charts.line_curve(table, x=x, y=y, diagonal=diagonal), alt=title)
