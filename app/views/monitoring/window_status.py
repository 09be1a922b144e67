"""The status of one window: a sentence with its color, and cards with the change against the previous period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from pipeline.alerts.incident_title import describe_metric
from pipeline.metrics.metric_labels import metric_label
from pipeline.text import percent, pluralize

from ... import formatting
from . import drift_panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.monitoring import HourlyOutcomes
    from pipeline.schema import FeatureLabels

    from ...page_queries.window_queries import WindowSummary

__all__ = ["WindowStatus", "drift_sentence", "show_cards", "show_status", "window_status"]

Level = Literal["degraded", "drift", "unknown", "healthy"]
_LOOKS: dict[Level, tuple[str, str, str]] = {
    "degraded": ("red", "error", "Degraded"),
    "drift": ("orange", "warning", "Drift"),
    "unknown": ("gray", "help", "Unknown"),
    "healthy": ("green", "check_circle", "Healthy"),
}
_DELTA_COLORS: dict[str, Literal["normal", "inverse"]] = {
    "Mean confidence": "normal",
    "Error rate": "inverse",
    "p95 latency": "inverse",
}


@dataclass(frozen=True, slots=True)
class WindowStatus:
    """What a window shows: its level, and the sentences behind it."""

    level: Level
    sentences: tuple[str, ...]


def window_status(summary: WindowSummary, labels: FeatureLabels, *, drift_start: str) -> WindowStatus:
    """Return the status of a window; with too few rows or outcomes it is unknown, never healthy.

    Parameters
    ----------
    summary : WindowSummary
    labels : FeatureLabels
    drift_start : str
        Since when features drift, empty for none.
    """
    report, degradation = summary.drift.report, summary.degradation
    sentences = [_performance_sentence(degradation), drift_sentence(report, labels, drift_start)]
    level: Level = "healthy"
    if degradation["degradation_detected"]:
        level = "degraded"
    elif report["verdict"] == "drift":
        level = "drift"
    elif degradation["shortage"] or report["shortage"]:
        level = "unknown"
    return WindowStatus(level, tuple(sentences))


def _performance_sentence(degradation: dict[str, Any]) -> str:
    if degradation["shortage"]:
        return f"Performance unknown: {degradation['shortage']}."
    findings = [finding for finding in degradation["findings"] if finding["verdict"] == "degraded"]
    if not findings:
        return "No metric is significantly beyond its limit."
    others = f" and {pluralize(len(findings) - 1, 'more metric')} beyond the limit" if len(findings) > 1 else ""
    return f"{describe_metric({**findings[0], 'label': metric_label(findings[0]['metric'])})}{others}."


def drift_sentence(report: dict[str, Any], labels: FeatureLabels, drift_start: str = "") -> str:
    """Return how many features drift, by label; `drift_start` is since when they do."""
    if report["shortage"]:
        return f"Drift unknown: {report['shortage']}."
    features = [finding for finding in report["findings"] if finding["kind"] == "feature"]
    drifted = [finding for finding in features if finding["verdict"] == "drift"]
    if not drifted:
        outputs = [finding for finding in report["findings"] if finding["verdict"] == "drift"]
        if outputs:
            return f"No feature drifts; outputs of the model do: {labels.label(outputs[0]['column'])}."
        return f"No drift in {len(features)} features."
    names = drift_start or ", ".join(labels.label(finding["column"]) for finding in drifted[:3])
    return f"Drift in {len(drifted)} of {len(features)} features: {names}."


def show_status(status: WindowStatus, label: str) -> None:
    """Show the status of a window in one box."""
    color, icon, word = _LOOKS[status.level]
    text = " ".join(formatting.message_markdown(sentence) for sentence in status.sentences)
    with st.container(border=True):
        st.markdown(f":{color}-badge[:material/{icon}: {word}] **{formatting.escape_markdown(label)}**: {text}")


def show_cards(
    summary: WindowSummary, labels: FeatureLabels, *, min_rows: int, period: str, passed: float = 1.0
) -> None:
    """Show the numbers of a window with their change against the previous period, where both have enough rows.

    `passed` is the share of the window that has passed: its predictions are compared with as much of the previous one.
    """
    traffic, before = summary.traffic, summary.previous_traffic
    has_rows = min(traffic["total_predictions"], before["total_predictions"]) >= min_rows
    rate, earlier = (_error_rate(each, min_rows) for each in (summary.activity.outcomes, summary.previous_outcomes))
    confidence = traffic["average_confidence"]
    latency = traffic["latency_ms"].get("95")
    deltas = {
        "Predictions": _relative_delta(traffic["total_predictions"], passed * before["total_predictions"]),
        "Mean confidence": _point_delta(confidence, before["average_confidence"]),
        "p95 latency": _relative_delta(latency, before["latency_ms"].get("95")),
    }
    shown = {**(deltas if has_rows else {}), "Error rate": _point_delta(rate, earlier)}
    values = {
        "Feature drift": (
            _drift_card_text(summary.drift.report),
            formatting.escape_markdown(drift_sentence(summary.drift.report, labels)),
        ),
        "Predictions": (f"{traffic['total_predictions']:,}", ""),
        "Outcomes": (f"{traffic['n_outcomes']:,}", f"{percent(summary.performance['coverage'], missing='-')} coverage"),
        "Mean confidence": (percent(confidence, missing="-"), "Mean probability of the predicted class"),
        "Error rate": (percent(rate, missing="unknown"), f"Of predictions with an outcome; {min_rows:,} are needed"),
        "p95 latency": ("-" if latency is None else f"{latency:.1f} ms", _latency_help(traffic["latency_ms"])),
    }
    for card, (label, (value, help_text)) in zip(st.columns(len(values)), values.items(), strict=True):
        delta = shown.get(label)
        card.metric(
            label,
            value,
            delta=delta,
            delta_color=_DELTA_COLORS.get(label, "off"),
            delta_description=f"vs. previous {period}" if delta else None,
            border=True,
            height="stretch",
            help=help_text or None,
        )


def _drift_card_text(report: dict[str, Any]) -> str:
    """Return the count of drifting features, or the verdict if none drifts; `unknown` for too few rows."""
    if report["shortage"]:
        return "unknown"
    verdicts = [finding["verdict"] for finding in report["findings"] if finding["kind"] == "feature"]
    n_drifting = verdicts.count("drift")
    return f"{n_drifting} of {len(verdicts)}" if n_drifting else drift_panel.VERDICT_LABELS[report["verdict"]]


def _error_rate(outcomes: Sequence[HourlyOutcomes], min_rows: int) -> float | None:
    n_outcomes = sum(hour.n_outcomes for hour in outcomes)
    return sum(hour.n_errors for hour in outcomes) / n_outcomes if n_outcomes >= min_rows else None


def _relative_delta(value: float | None, before: float | None) -> str | None:
    return f"{(value - before) / before:+.0%}" if value is not None and before else None


def _point_delta(value: float | None, before: float | None) -> str | None:
    return None if value is None or before is None else f"{100 * (value - before):+.1f} pp"


def _latency_help(percentiles: dict[str, float]) -> str:
    lines = [f"{percentile} % of predictions took at most {ms:.2f} ms" for percentile, ms in percentiles.items()]
    return ". ".join(lines) or "No prediction was timed in this period"
