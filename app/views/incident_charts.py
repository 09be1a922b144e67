"""The charts of an incident: drift of its likely causes and degraded metrics over time, with limits and deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import address, formatting, page, time_charts
from pipeline.metrics.metric_labels import METRIC_EXPLANATIONS, metric_label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.alerts.analysis import IncidentReport
    from pipeline.monitoring import DriftLine, MetricLine

__all__ = ["risen_value", "show_causes", "show_metrics"]

_MAX_CAUSES = 3
_OUTSIDE = ("below", "above", "unseen", "missing", "other")


def show_causes(report: IncidentReport) -> None:
    """Draw the drift of the likely causes as multiples of their limits, with a sentence about each."""
    st.markdown("**Likely causes: feature drift over time**", help="Periods are merged until each has enough rows")
    lines = report.drift[:_MAX_CAUSES]
    if not lines:
        st.markdown("No feature drifts beyond its limit.")
        return
    labels = _cause_labels(report)
    rows = [row for line in lines for row in _drift_rows(line, labels.get(line.column, line.column))]
    causes = {cause["column"]: cause for cause in report.incident.details["causes"]}
    for line in lines:
        st.markdown(formatting.message_markdown(f"{causes[line.column]['summary']}; {_since_words(line)}"))
    if not any(row["value"] is not None for row in rows):
        st.markdown("Not enough data for a line.")
        return
    chart = time_charts.lines_with_limit(
        _frame(rows),
        title="Drift as a multiple of its limit",
        limit=1.0,
        marks=_deployment_marks(report),
        is_log=True,
        zone=page.time_zone_label(),
    )
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
    rows = list(_metric_rows(line))
    if not any(row["value"] is not None for row in rows):
        st.markdown("Not enough outcomes for a line.")
        return
    chart = time_charts.lines_with_limit(
        _frame(rows),
        title=metric_label(name),
        limit=line.limit,
        baseline=line.baseline,
        marks=_deployment_marks(report),
        zone=page.time_zone_label(),
    )
    page.show_chart(chart, alt=f"{metric_label(name)} over time, with its limit", key="incident_metric")


def risen_value(report: IncidentReport) -> tuple[str, str] | None:
    """Return the value of the likeliest cause whose share rose most, in words and as a filter; None without one."""
    points = [point for line in report.drift[:1] for point in line.points if point.finding.shares]
    if not points:
        return None
    column = report.drift[0].column
    value, before, after = max(points[-1].finding.shares, key=lambda share: share[2] - share[1])
    is_whole = report.incident.details["causes"][0]["kind"] == "feature" and value not in _OUTSIDE
    if after <= before or not is_whole or " " in value or value[:1] in "([":
        return None
    return f"{_cause_labels(report).get(column, column)} = {value}", f"{column}={value}"


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
        yield {
            "label": label,
            "at": point.since,
            "until": point.until,
            "value": point.ratio,
            "low": None,
            "high": None,
            "rows": point.n_rows,
            "is_beyond": point.is_beyond,
        }


def _metric_rows(line: MetricLine) -> Iterable[dict[str, Any]]:
    for point in line.realized:
        yield {
            "label": metric_label(line.metric),
            "at": point.since,
            "until": point.until,
            "value": point.estimate.value,
            "low": point.estimate.low,
            "high": point.estimate.high,
            "rows": point.n_rows,
            "is_beyond": line.is_beyond(point),
        }


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(time_charts.LINE_COLUMNS))
    frame[["value", "low", "high"]] = frame[["value", "low", "high"]].astype(float)
    return frame.assign(at=page.to_local_time(list(frame["at"])), until=page.to_local_time(list(frame["until"])))


def _deployment_marks(report: IncidentReport) -> pd.DataFrame:
    events = [event for event in report.timeline if event.mark]
    return pd.DataFrame(
        {"at": page.to_local_time([event.at for event in events]), "text": [event.mark for event in events]}
    )
