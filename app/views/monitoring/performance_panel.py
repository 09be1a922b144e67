"""Performance of a version: each metric with its limit, and one metric over time, by version or slice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.metrics.metric_labels import METRIC_EXPLANATIONS, metric_label
from pipeline.monitoring.drift.bin_labels import bin_words
from pipeline.monitoring.performance import LABEL_METRICS
from pipeline.text import day_and_minute, percent, pluralize

from ... import address, formatting, html_table, page, queries
from ...page_charts import window_charts
from ...page_queries import window_queries
from . import time_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.monitoring import MetricLine, PerformancePoint
    from pipeline.package import Package
    from pipeline.schema import FeatureLabels

    from ...page_charts.window_charts import TimeAxis
    from ...page_queries.window_queries import WindowKey, WindowSummary

    NamedLines = list[tuple[str, tuple[PerformancePoint, ...]]]

__all__ = ["metric_rows", "show_performance"]

_BY_LABELS = {"all": "All rows", "version": "Version", "slice": "Slice"}
_DEFAULT_METRIC = "log_loss"
_MAX_SLICES = 7
# The names of the report for metrics that it names as scikit-learn does.
_REPORT_NAMES = {"f1_weighted": "f1_score"}


def show_performance(
    summary: WindowSummary, package: Package, labels: FeatureLabels, *, key: WindowKey, axis: TimeAxis
) -> None:
    """Show the metrics of a window, and one of them over time with its limit."""
    st.markdown(
        f"**Performance of version {key.version}**",
        help="Measured from outcomes; estimated from predicted probabilities. The limit is 5 % worse than in training.",
    )
    st.caption(_performance_basis(summary.performance, queries.config().monitoring.min_rows))
    left, right = st.columns(2)
    with left:
        _show_metric_over_time(summary, package, labels, key=key, axis=axis)
    with right:
        page.show_table(
            metric_rows(summary.performance, summary.degradation, summary.metrics),
            caption="Metrics against training and their limits",
        )


def _show_metric_over_time(
    summary: WindowSummary, package: Package, labels: FeatureLabels, *, key: WindowKey, axis: TimeAxis
) -> None:
    lines = {line.metric: line for line in summary.metrics}
    metric, by, column = _select_lines(summary, lines, package, labels)
    line = lines[metric]
    named = _named_lines(line, by, column, key=key)
    frame = time_frames.metric_frame(named)
    if frame.empty:
        st.caption(_empty_text(line, by))
        return
    references = [("training", line.baseline, False), ("limit", line.limit, True)]
    time_frames.show_zoomable(
        partial(
            window_charts.metric_history,
            frame,
            axis,
            title=metric_label(metric),
            references=tuple((name, value, is_limit) for name, value, is_limit in references if value is not None),
            height=290,
        ),
        alt=f"{metric_label(metric)} over time, with its value in training and its limit",
        key=f"performance_chart_{axis.id}",
    )
    explanation = METRIC_EXPLANATIONS.get(metric)
    if explanation:
        st.caption(f"{metric_label(metric)}: {explanation}.")
    if line.beyond_since is not None and by == "all":
        since = day_and_minute(line.beyond_since, page.user_time_zone())
        st.markdown(f"**Beyond its limit since {since}.**")


def _select_lines(
    summary: WindowSummary, lines: Mapping[str, MetricLine], package: Package, labels: FeatureLabels
) -> tuple[str, str, str]:
    """Return the selected metric, what it is shown by, and the column of the slices."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = address.choose(
            st.selectbox,
            list(lines),
            parameter="metric",
            key="performance_metric",
            default=_worst_metric(summary.degradation, lines),
            format_func=metric_label,
            label="Metric",
            width=240,
        )
        by = address.choose(
            st.segmented_control,
            list(_BY_LABELS),
            parameter="by",
            key="performance_by",
            default="all",
            format_func=_BY_LABELS.__getitem__,
            label="By",
        )
        column = _select_slice_column(package, labels) if by == "slice" else ""
    return metric, by, column


def _select_slice_column(package: Package, labels: FeatureLabels) -> str:
    names = labels.order(bins.name for bins in package.reference.columns)
    return address.choose(
        st.selectbox,
        names,
        parameter="slice",
        key="performance_slice",
        default=names[0],
        format_func=labels.label,
        label="Feature",
        width=240,
    )


def _worst_metric(degradation: Mapping[str, Any], lines: Mapping[str, MetricLine]) -> str:
    """Return the metric that is worse beyond its limit, log loss before others; log loss without any."""
    degraded = [name for name in degradation["degraded_metrics"] if name in lines]
    if not degraded or _DEFAULT_METRIC in degraded:
        return _DEFAULT_METRIC
    return str(degraded[0])


def _named_lines(line: MetricLine, by: str, column: str, *, key: WindowKey) -> NamedLines:
    if by == "version":
        by_version = window_queries.version_metric_lines(key, line.metric)
        return [(f"Version {number}", each.realized) for number, each in by_version.items()]
    if by == "slice":
        if line.metric not in LABEL_METRICS:
            return []
        slices = window_queries.slice_metric_lines(key, line.metric, column)
        words = _slice_words(column, slices, key)
        largest = sorted(slices, key=lambda each: -sum(point.n_rows for point in each.realized))[:_MAX_SLICES]
        return [(words[each.slice_value], each.realized) for each in slices if each in largest]
    return [("Realized", line.realized), ("Estimated", line.estimated)]


def _slice_words(column: str, slices: tuple[MetricLine, ...], key: WindowKey) -> dict[str, str]:
    digest = next(version.digest for version in queries.versions(key.model) if version.version == key.version)
    bins = next(each for each in queries.load_package(digest).reference.columns if each.name == column)
    words = dict(zip(bins.labels, bin_words(bins.labels), strict=True))
    return {line.slice_value: words[line.slice_value] for line in slices}


def _empty_text(line: MetricLine, by: str) -> str:
    if by == "slice" and line.metric not in LABEL_METRICS:
        names = ", ".join(metric_label(name) for name in LABEL_METRICS)
        return f"{metric_label(line.metric)} is not counted by slice; select one of: {names}."
    reason = next((point.estimate.reason for point in line.realized if point.estimate.reason), None)
    if by == "slice":
        return f"No slice has {queries.config().monitoring.min_rows:,} outcomes in this period."
    return f"Not enough data: {reason}." if reason else "No outcomes in this period."


def metric_rows(
    performance: Mapping[str, Any], degradation: Mapping[str, Any], lines: tuple[MetricLine, ...]
) -> list[dict[str, Any]]:
    """Return the rows of the table of metrics: measured, training, limit, verdict, estimated."""
    findings = {finding["metric"]: finding for finding in degradation["findings"]}
    rows = []
    for line in lines:
        name = _REPORT_NAMES.get(line.metric, line.metric)
        finding = findings.get(line.metric)
        estimate = performance["estimated"].get(name, {"value": None})
        rows.append(
            {
                "Metric": metric_label(line.metric),
                "Measured": _measured_text(performance, name),
                "Training": formatting.format_number(line.baseline, 3),
                "Limit": formatting.format_number(line.limit, 3),
                "Verdict": _verdict_badge(finding),
                "Estimated": formatting.format_number(estimate["value"], 3),
            }
        )
    return rows


def _measured_text(performance: Mapping[str, Any], name: str) -> str:
    value, interval = performance.get(name), performance["intervals"].get(name)
    if value is None:
        return "-"
    text = formatting.format_number(value, 3)
    if interval is None or interval[0] is None:
        return text
    return f"{text} ({formatting.format_number(interval[0], 3)} to {formatting.format_number(interval[1], 3)})"


def _verdict_badge(finding: Mapping[str, Any] | None) -> html_table.Badge | str:
    if finding is None:
        return ""
    if finding["verdict"] == "not_enough_data":
        return html_table.Badge("unknown", "gray")
    worsening = f"{abs(finding['worsening']):.0%} {'worse' if finding['worsening'] > 0 else 'better'}"
    color = {"degraded": "red", "watch": "orange"}.get(finding["verdict"], "green")
    return html_table.Badge(worsening, color)


def _performance_basis(performance: Mapping[str, Any], min_rows: int) -> str:
    """Return from how many outcomes and predictions the metrics come, and what is lacking."""
    n_outcomes, n_rows = performance["n_outcomes"], performance["total_predictions"]
    basis = (
        f"{pluralize(n_outcomes, 'outcome')} of {pluralize(n_rows, 'prediction')}"
        f" (coverage {percent(performance['coverage'], missing='-')})."
    )
    if n_rows < min_rows:
        return f"{basis} No estimates: {n_rows:,} of {min_rows:,} predictions needed."
    if n_outcomes < min_rows:
        return (
            f"{basis} {n_outcomes:,} of {min_rows:,} outcomes needed for a comparison with training;"
            " estimates follow from predicted probabilities. Record outcomes on the page History."
        )
    return basis
