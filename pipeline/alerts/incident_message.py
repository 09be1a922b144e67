"""Describe an incident in text: most likely causes, affected share, loss, window, and the next command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.alerts.alert_rules import SEVERITIES
from pipeline.alerts.incident_title import describe_change, describe_metric, incident_title
from pipeline.metrics.metric_labels import metric_label
from pipeline.text import percent, pluralize, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.alerts.alert_rules import RuleResult
    from pipeline.schema import FeatureLabels

__all__ = ["IncidentMessage", "compose_message", "highest_severity"]

_MAX_CAUSES = 3  # of a text; the details have more
_MAX_STORED = 20
_MAX_SLICES = 5
_PUBLIC_NAMES = {"f1_weighted": "f1_score"}  # as reports name it
_MAX_CAUSE_CHARS = 300  # of one cause: a message is read on a telephone


@dataclass(frozen=True, slots=True)
class IncidentMessage:
    """A title of one line, the text below it, and the same as plain values."""

    title: str
    text: str
    details: dict[str, Any]


def highest_severity(results: Sequence[RuleResult]) -> str:
    """Return the highest severity of some rules."""
    return max((result.severity for result in results), key=SEVERITIES.index)


def compose_message(
    firing_results: Sequence[RuleResult], report: Mapping[str, Any], labels: FeatureLabels
) -> IncidentMessage:
    """Return the message about the firing rules of one group in a window."""
    ranked = sorted(firing_results, key=lambda result: -SEVERITIES.index(result.severity))
    conditions = {result.condition for result in firing_results}
    is_about_rows = bool(conditions & {"drift", "degradation", "not_trusted"})
    causes = _likeliest_causes(report, labels) if is_about_rows else []
    metrics = _degraded_metrics(report) if "degradation" in conditions else []
    drifting = [cause["drifting_since"] for cause in causes if cause["drifting_since"] is not None]
    degraded = [metric["degraded_since"] for metric in metrics if metric["degraded_since"] is not None]
    details = {
        "rules": [result.as_dict() for result in ranked],
        "metrics": metrics,
        "causes": causes,
        "since": min(drifting or degraded, default=None),
        "slices": _worst_slices(report, labels) if is_about_rows else [],
        "affected_share": _affected_row_share(report, ranked) if is_about_rows else _server_error_rate(ranked),
        "affected": "rows" if is_about_rows else "responses",
        "loss": _accuracy_loss(report) if is_about_rows else None,
        "version": report.get("version"),
        "window": dict(report["drift"]["window"]),
        "n_predictions": report["dashboard"]["total_predictions"],
        "next": ranked[0].next_command,
    }
    return IncidentMessage(incident_title(details), "\n".join(_text_lines(details)), details)


def _text_lines(details: Mapping[str, Any]) -> list[str]:
    window, causes = details["window"], details["causes"][:_MAX_CAUSES]
    lines = [f"Window: {window['since']} to {window['until']} ({pluralize(details['n_predictions'], 'prediction')})"]
    if causes:
        lines.append("Most likely causes:" if len(causes) > 1 else "Most likely cause:")
    lines += [f"{number}. {cause['summary']}" for number, cause in enumerate(causes, start=1)]
    if details["metrics"]:
        worst = "; ".join(describe_metric(metric) for metric in details["metrics"][:_MAX_CAUSES])
        lines.append(f"Worse than in training: {worst}")
    if not details["metrics"] and not causes:
        lines += [f"Finding: {rule['summary']}" for rule in details["rules"]]
    if details["affected_share"] is not None:
        least = "at least " if details["affected"] == "rows" else ""
        lines.append(f"Affected: {least}{percent(details['affected_share'])} of {details['affected']}")
    if details["loss"] is not None:
        lines.append(f"Estimated loss: {details['loss']['summary']}")
    return [*lines, f"Next: {details['next']}"]


def _degraded_metrics(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the degraded metrics, the worst first, each with its interval and the value from which it is degraded."""
    intervals, degraded_since = report["performance"]["intervals"], report.get("degraded_since", {})
    return [
        {
            "metric": finding["metric"],
            "label": metric_label(finding["metric"]),
            "baseline": finding["baseline"],
            "value": finding["value"],
            "interval": intervals.get(_PUBLIC_NAMES.get(finding["metric"], finding["metric"]), [None, None]),
            "limit": _degradation_limit(finding),
            "degraded_since": degraded_since.get(finding["metric"]),
        }
        for finding in report["degradation"]["findings"]
        if finding["verdict"] == "degraded"
    ]


def _degradation_limit(finding: Mapping[str, Any]) -> float:
    """Return the value from which a degraded metric counts as degraded."""
    baseline, allowed = finding["baseline"], finding["threshold"]
    if finding["kind"] == "relative" and baseline:
        allowed *= abs(baseline)
    return float(baseline + allowed if finding["value"] > baseline else baseline - allowed)


def _worst_slices(report: Mapping[str, Any], labels: FeatureLabels) -> list[dict[str, Any]]:
    """Return the slices whose accuracy is significantly below that of all rows, the worst first."""
    slices = [part for part in report["performance"]["slices"] if part["is_below_overall"]]
    return [{**part, "label": labels.label(part["column"])} for part in slices[:_MAX_SLICES]]


def _likeliest_causes(report: Mapping[str, Any], labels: FeatureLabels) -> list[dict[str, Any]]:
    """Return the features of the highest priority: drift as a multiple of the threshold, times importance.

    Drift of the prediction counts only where no feature drifted.
    """
    drifted = [finding for finding in report["drift"]["findings"] if finding["verdict"] == "drift"]
    candidates = [finding for finding in drifted if finding["kind"] == "feature"] or drifted
    ranked = sorted(candidates, key=lambda finding: (-(finding["priority"] or 0.0), finding["column"]))
    total = sum(finding["priority"] or 0.0 for finding in candidates)
    drifting_since = report.get("drifting_since", {})
    copied = ("column", "kind", "statistic", "value", "threshold", "direction", "priority", "importance")
    return [
        {
            **{name: finding[name] for name in copied},
            "label": labels.label(finding["column"]),
            "change": describe_change(finding),
            "drifting_since": drifting_since.get(finding["column"]),
            "priority_share": (finding["priority"] or 0.0) / total if total else None,
            "summary": _describe_cause(finding, labels.label(finding["column"]), total),
        }
        for finding in ranked[:_MAX_STORED]
    ]


def _describe_cause(finding: Mapping[str, Any], label: str, total: float) -> str:
    share = f" ({percent((finding['priority'] or 0.0) / total)} of the drift impact)" if total else ""
    return f"{label}: {shorten(finding['summary'], _MAX_CAUSE_CHARS)}{share}"


def _affected_row_share(report: Mapping[str, Any], results: Sequence[RuleResult]) -> float | None:
    """Return the lower bound of the share of drifted rows: the total variation of the worst column."""
    if not any(result.condition == "drift" for result in results):
        return None
    drifted = [finding["statistics"] for finding in report["drift"]["findings"] if finding["verdict"] == "drift"]
    variations = [float(statistics["total_variation"]) for statistics in drifted if "total_variation" in statistics]
    return max(variations, default=None)


def _server_error_rate(results: Sequence[RuleResult]) -> float | None:
    return next((result.value for result in results if result.condition == "error_rate"), None)


def _accuracy_loss(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how many more predictions than usual are wrong: measured with enough outcomes, otherwise estimated."""
    performance, n_rows = report["performance"], report["performance"]["total_predictions"]
    known = {finding["metric"]: finding for finding in report["degradation"]["findings"]}.get("accuracy")
    expected = performance["estimated"].get("accuracy")
    if known is None or not n_rows:
        return None
    is_measured = known["verdict"] != "not_enough_data" and performance.get("accuracy") is not None
    value = performance["accuracy"] if is_measured else None if expected is None else expected["value"]
    usual = known["baseline"]
    if value is None or usual is None:
        return None
    n_lost = max(round((usual - value) * n_rows), 0)
    source = "measured" if is_measured else "estimated"
    loss = f"about {n_lost:,} more wrong predictions" if n_lost else "no more wrong predictions"
    return {
        "n_wrong": n_lost,
        "is_measured": is_measured,
        "accuracy": value,
        "usual": usual,
        "summary": f"{loss} than usual among {n_rows:,} (accuracy {source} {value:.3g}, usual {usual:.3g})",
    }
