"""The charts of an incident: drift of its likely causes and degraded metrics over time, with limits and deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.metrics.metric_labels import METRIC_EXPLANATIONS, metric_label
from pipeline.monitoring.drift.bin_labels import bin_words

from ... import address, formatting, page
from ...page_charts import window_charts
from ..monitoring import time_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.alerts.analysis import IncidentReport
    from pipeline.monitoring import DriftLine, MetricLine

__all__ = ["risen_value", "show_causes", "show_metrics"]

_MAX_CAUSES = 3
_HEIGHT_PX = 260


def show_causes(report: IncidentReport) -> None:
    """Draw the drift of the likely causes as multiples of their limits, with a sentence about each."""
    st.markdown("**Likely causes: feature drift over time**", help="Periods are merged until each has enough rows")
    lines = report.drift[:_MAX_CAUSES]
    if not lines:
        st.markdown("No feature drifts beyond its limit.")
        return
    labels = _cause_labels(report)
    causes = {cause["column"]: cause for cause in report.incident.details["causes"]}
    for line in lines:
        st.markdown(formatting.message_markdown(f"{causes[line.column]['summary']}; {_since_words(line)}"))
    rows = [row for line in lines for row in _drift_rows(line, labels.get(line.column, line.column))]
    if not rows:
        st.markdown("Not enough data for a line.")
        return
    frame = pd.DataFrame(rows)
    begin, end = (page.to_local_time(list(frame[name])) for name in ("begin", "end"))
    frame = frame.assign(begin=begin, end=end, at=begin + (end - begin) / 2)
    chart = window_charts.drift_history(frame, _axis(report), colored=list(labels.values()), height=_HEIGHT_PX)
    page.show_chart(chart, alt="Drift of the likely causes over time, with the limit at 1", key="incident_causes")


def show_metrics(report: IncidentReport) -> None:
    """Draw one degraded metric over time, with its interval, its limit and its value in training."""
    st.markdown("**Metrics over time**", help="From outcomes; periods are merged until each has enough outcomes")
    if not report.metrics:
        st.markdown("No metric is significantly worse than in training, or there are too few outcomes.")
        return
    by_name = {line.metric: line for line in report.metrics}
    name = address.choose(
        st.selectbox,
        list(by_name),
        parameter="metric",
        key=f"incident_{report.incident.seq}_metric",
        default=next(iter(by_name)),
        format_func=metric_label,
        label="Metric",
        label_visibility="collapsed",
    )
    line = by_name[name]
    st.markdown(formatting.message_markdown(_metric_sentence(line)), help=METRIC_EXPLANATIONS.get(name))
    frame = time_frames.metric_frame([(metric_label(name), line.realized)])
    if frame.empty:
        st.markdown("Not enough outcomes for a line.")
        return
    references = (("limit", line.limit, True), ("training", line.baseline, False))
    chart = window_charts.metric_history(
        frame,
        _axis(report),
        title=metric_label(name),
        references=tuple((label, value, is_limit) for label, value, is_limit in references if value is not None),
        height=_HEIGHT_PX,
    )
    page.show_chart(chart, alt=f"{metric_label(name)} over time, with its limit", key="incident_metric")


def risen_value(report: IncidentReport) -> tuple[str, tuple[str, ...]] | None:
    """Return the value of the likeliest cause whose share rose most, in words and as filters; None without filters."""
    shares = next((point.finding.shares for line in report.drift[:1] for point in line.points[::-1]), ())
    if not shares:
        return None
    column = report.drift[0].column
    position = max(range(len(shares)), key=lambda index: shares[index][2] - shares[index][1])
    label, before, after = shares[position]
    filters = report.filters.get(column, {}).get(label, ())
    if after <= before or not filters:
        return None
    words = bin_words([label for label, _, _ in shares])[position]
    return f"{_cause_labels(report).get(column, column)}: {words}", filters


def _cause_labels(report: IncidentReport) -> dict[str, str]:
    return {cause["column"]: cause["label"] for cause in report.incident.details.get("causes", ())}


def _since_words(line: DriftLine) -> str:
    if line.beyond_since is None:
        return "not beyond its limit in the newest period"
    bound = "at least " if line.is_beyond_throughout else ""
    return f"beyond its limit since {bound}{page.short_time(line.beyond_since)}"


def _metric_sentence(line: MetricLine) -> str:
    label = metric_label(line.metric)
    if line.beyond_since is None:
        return f"{label}: not beyond its limit in the newest period"
    return f"{label}: beyond its limit since {page.short_time(line.beyond_since)}"


def _drift_rows(line: DriftLine, label: str) -> Iterable[dict[str, Any]]:
    for point in line.points:
        if point.ratio is not None:
            yield {
                "name": label,
                "column": line.column,
                "moment": str(point.since),
                "begin": point.since,
                "end": point.until,
                "ratio": point.ratio,
                "verdict": point.finding.verdict,
                "n_rows": point.n_rows,
            }


def _axis(report: IncidentReport) -> window_charts.TimeAxis:
    """Return the axis of the report from its first period, with its deployments and canary steps."""
    starts = [points[0].since for points in (*(line.points for line in report.drift),) if points]
    starts += [line.realized[0].since for line in report.metrics if line.realized]
    first, last = page.to_local_time([max(min(starts, default=report.since), report.since), report.until])
    events = [event for event in report.timeline if event.mark and report.since <= event.at <= report.until]
    marks = pd.DataFrame(
        {"at": page.to_local_time([event.at for event in events]), "label": [event.mark for event in events]}
    )
    return window_charts.TimeAxis(first, last, page.time_zone_label(), marks)
