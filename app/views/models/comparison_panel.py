"""The parts of a comparison of two versions: metrics, gates, settings, slices, curves, groups and properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.metrics.metric_labels import METRIC_EXPLANATIONS, label_metrics, metric_label
from pipeline.schema.feature_labels import FeatureLabels
from pipeline.text import number, pluralize

from ... import formatting, html_table, links, page
from ...page_charts import run_charts

if TYPE_CHECKING:
    from pipeline.fairness import FairnessReport
    from pipeline.schema import Schema
    from pipeline.version_comparison import EvaluationComparison, MetricComparison, VersionDiff

__all__ = [
    "show_curves",
    "show_fairness",
    "show_gates",
    "show_metrics",
    "show_properties",
    "show_settings",
    "show_slices",
]

_MAX_SETTINGS, _MAX_SLICES, _MIN_BIN_ROWS = 60, 12, 30
_VERDICT_COLORS = {"better": "green", "worse": "red"}
_RESULT_COLORS = {"pass": "green", "hold": "orange", "fail": "red"}
_GROUP_COLORS = {"pass": "green", "watch": "orange", "fail": "red"}
# Title, table of plots/, columns of both axes with their titles.
_CURVES = (
    ("ROC curve", "roc", ("false_positive_rate", "False positive rate"), ("true_positive_rate", "True positive rate")),
    ("Precision-recall curve", "pr", ("recall", "Recall"), ("precision", "Precision")),
    ("Calibration", "calibration", ("predicted", "Predicted probability"), ("observed", "Observed frequency")),
    ("Recall by threshold", "pr", ("threshold", "Threshold"), ("recall", "Recall")),
)


def show_metrics(evaluation: EvaluationComparison) -> None:
    """Show each metric of both versions, the difference with its interval, and the verdict."""
    st.markdown("##### Test metrics")
    if not evaluation.metrics:
        st.caption("No metric of both versions is recorded.")
        return
    page.show_table(
        [_metric_row(metric, evaluation) for metric in evaluation.metrics],
        caption="Test metrics of both versions",
        marked=[at for at, metric in enumerate(evaluation.metrics) if metric.name == evaluation.selection_metric],
    )
    lines = [f"{evaluation.rows_sentence} The marked metric decides the verdict."]
    by_reason: dict[str, list[str]] = {}
    for metric in evaluation.metrics:
        if metric.difference.low is None:
            by_reason.setdefault(metric.difference.reason or "not evaluated", []).append(metric_label(metric.name))
    lines += [f"No interval of {', '.join(names)}: {reason}." for reason, names in by_reason.items()]
    st.caption(formatting.message_markdown(" ".join(lines)))
    with st.popover("Metrics explained", type="tertiary"):
        for metric in evaluation.metrics:
            st.markdown(f"**{metric_label(metric.name)}**: {METRIC_EXPLANATIONS.get(metric.name, metric.name)}.")


def _metric_row(metric: MetricComparison, evaluation: EvaluationComparison) -> dict[str, Any]:
    return {
        "Metric": metric_label(metric.name),
        f"Version {evaluation.first}": formatting.format_number(metric.first.value),
        f"Version {evaluation.second}": formatting.format_number(metric.second.value),
        "Difference": number(metric.difference.value, missing="-", signed=True),
        "Interval: worse / better": _difference_bar(metric),
        "Verdict": html_table.Badge(metric.verdict, _VERDICT_COLORS.get(metric.verdict, "gray")),
    }


def _difference_bar(metric: MetricComparison) -> html_table.IntervalBar | str:
    """Return the interval with better to the right, whatever the direction of the metric is."""
    difference = metric.difference
    if difference.value is None or difference.low is None or difference.high is None:
        return "none"
    ends = [difference.low, difference.value, difference.high]
    low, value, high = ends if metric.higher_is_better else [-end for end in reversed(ends)]
    label = f"{number(difference.low, signed=True)} to {number(difference.high, signed=True)}"
    return html_table.IntervalBar(low, value, high, label, _VERDICT_COLORS.get(metric.verdict, "gray"))


def show_gates(diff: VersionDiff) -> None:
    """Show the gates of both versions, those that did not pass first."""
    st.markdown("##### Gates", help="Each version met its gates at its registration, against the champion of that time")
    if not diff.gates:
        st.caption("The gates of both versions were never evaluated.")
        return
    order = ("fail", "hold", "pass", None)
    gates = sorted(diff.gates, key=lambda gate: min(order.index(gate.first or None), order.index(gate.second or None)))
    page.show_table(
        [
            {
                "Gate": _gate_label(gate.name),
                f"Version {diff.old}": _result_badge(gate.first),
                f"Version {diff.new}": _result_badge(gate.second),
            }
            for gate in gates
        ],
        caption="Gates of both versions",
    )
    for gate in gates:
        for version, result, reason in (
            (diff.old, gate.first, gate.first_reason),
            (diff.new, gate.second, gate.second_reason),
        ):
            if result in ("fail", "hold"):
                st.caption(
                    formatting.message_markdown(
                        label_metrics(f"Version {version}, {_gate_label(gate.name)}: {reason}.")
                    )
                )


def _gate_label(name: str) -> str:
    return label_metrics(name).replace("_", " ")


def _result_badge(result: str | None) -> html_table.Badge:
    return html_table.Badge(result or "not evaluated", _RESULT_COLORS.get(result or "", "gray"))


def show_settings(diff: VersionDiff) -> None:
    """Show the settings and the columns that differ."""
    st.markdown("##### Settings that differ")
    if diff.unknown_settings:
        versions = " and ".join(map(str, diff.unknown_settings))
        st.caption(f"Not compared: the package of version {versions} has no settings.")
    elif not diff.settings:
        st.caption("None: training read equal settings.")
    else:
        rows = [
            dict(zip(("Setting", f"Version {diff.old}", f"Version {diff.new}"), (item.name, *item.texts), strict=True))
            for item in diff.settings[:_MAX_SETTINGS]
        ]
        page.show_table(rows, caption="Settings that differ")
        if len(diff.settings) > _MAX_SETTINGS:
            st.caption(f"{_MAX_SETTINGS} of {len(diff.settings)}; `mlops models diff` lists all.")
    for change in diff.schema:
        breaking = " (breaks callers)" if change.is_breaking else ""
        st.caption(formatting.message_markdown(f"Column {change}{breaking}."))


def show_slices(evaluation: EvaluationComparison, schema: Schema) -> None:
    """Show the slices that differ, significant ones first, with links to what the slice is of."""
    st.markdown("##### Slices", help="Intervals are corrected for the number of slices (Bonferroni)")
    if not evaluation.slices:
        st.caption("Slices need the same test rows for both versions.")
        return
    changes = sorted(
        evaluation.slices,
        key=lambda change: (change.verdict not in ("worse", "better"), -abs(change.after - change.before)),
    )
    labels = FeatureLabels.from_schema(schema)
    page.show_table(
        [
            {
                "Slice": f"{labels.label(change.column)}: {change.value}",
                "Rows": f"{change.n_rows:,}",
                f"Version {evaluation.first}": formatting.format_number(change.before),
                f"Version {evaluation.second}": formatting.format_number(change.after),
                "Verdict": html_table.Badge(change.verdict, _VERDICT_COLORS.get(change.verdict, "gray")),
            }
            for change in changes[:_MAX_SLICES]
        ],
        caption="Slices of the test rows",
    )
    n_significant = sum(change.verdict in ("worse", "better") for change in changes)
    counted = f"{n_significant} of {pluralize(len(changes), 'slice')} differ significantly"
    st.caption(f"{metric_label(changes[0].metric)}; {counted}.")


def show_curves(evaluation: EvaluationComparison) -> None:
    """Overlay the curves of both versions."""
    names = (f"Version {evaluation.first}", f"Version {evaluation.second}")
    if not any(evaluation.curves):
        return
    st.markdown("##### Curves on the test rows")
    for column, (title, table, x, y) in zip(st.columns(len(_CURVES)), _CURVES, strict=True):
        parts = [
            _known_points(curves[table])[[x[0], y[0]]].set_axis(["across", "up"], axis=1).assign(run=name)
            for name, curves in zip(names, evaluation.curves, strict=True)
            if table in curves and not curves[table].empty
        ]
        with column:
            st.markdown(f"**{title}**")
            if parts:
                chart = run_charts.overlaid_curves(
                    pd.concat(parts), x=x[1], y=y[1], has_diagonal=table in ("roc", "calibration")
                )
                page.show_chart(chart, alt=f"{title} of both versions")
            else:
                st.caption("Not defined: all test rows are of one class.")


def _known_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return the points of a curve; a bin of the calibration with few rows is none."""
    return table[table["rows"] >= _MIN_BIN_ROWS] if "rows" in table else table


def show_fairness(evaluation: EvaluationComparison, schema: Schema) -> None:
    """Show the verdict of each group of both versions; nothing without protected columns."""
    if evaluation.fairness is None:
        return
    st.markdown("##### Groups of protected columns")
    verdicts = [_group_verdicts(report) for report in evaluation.fairness]
    labels = FeatureLabels.from_schema(schema)
    page.show_table(
        [
            {
                "Group": f"{' x '.join(labels.label(name) for name in columns)}: {group}",
                f"Version {evaluation.first}": _group_badge(verdicts[0].get((columns, group))),
                f"Version {evaluation.second}": _group_badge(verdicts[1].get((columns, group))),
            }
            for columns, group in dict.fromkeys((*verdicts[0], *verdicts[1]))
        ],
        caption="Groups of protected columns of both versions",
    )


def _group_verdicts(report: FairnessReport) -> dict[tuple[tuple[str, ...], str], str]:
    return {(column.columns, group.group): group.verdict for column in report.columns for group in column.groups}


def _group_badge(verdict: str | None) -> html_table.Badge:
    return html_table.Badge(formatting.humanize(verdict or "not compared"), _GROUP_COLORS.get(verdict or "", "gray"))


def show_properties(diff: VersionDiff) -> None:
    """Show what else differs: stage, commit, rows, libraries; with links to both versions."""
    with st.expander(f"Other properties that differ ({len(diff.properties)})"):
        names = ("Property", f"Version {diff.old}", f"Version {diff.new}")
        page.show_table(
            [dict(zip(names, (item.name, *item.texts), strict=True)) for item in diff.properties],
            caption="Properties that differ",
        )
        for version in (diff.old, diff.new):
            links.show_link(f"Open version {version}", "models", icon="deployed_code", version=version)
