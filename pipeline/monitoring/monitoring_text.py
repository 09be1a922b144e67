"""Write a monitoring report as lines of text: one headline, then what changed, then the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.metrics.metric_labels import metric_label
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "drift_headline",
    "drift_text_lines",
    "estimate_disagrees",
    "format_metric",
    "report_headline",
    "report_text_lines",
]

_MAX_NAMES = 3


def report_headline(report: Mapping[str, Any]) -> str:
    """Return one line: drifted columns, degraded metrics, outcomes."""
    degradation, n_outcomes = report["degradation"], report["performance"]["n_outcomes"]
    degraded = [metric_label(name) for name in degradation["degraded_metrics"]]
    drift = drift_headline(report["drift"])
    note = ", provisional: outcomes still arriving" if report["performance"]["provisional"] else ""
    if degradation["shortage"]:
        return f"{report['model']}: {drift}; degradation unknown: {degradation['shortage']}{note}"
    performance = f"degraded: {_first_names(degraded)}" if degraded else "no degradation"
    return f"{report['model']}: {drift}; {performance}{note} ({pluralize(n_outcomes, 'outcome')})"


def drift_headline(drift: Mapping[str, Any]) -> str:
    """Return the drift of a window in one clause that names the drifted columns."""
    names = drift["drifted"]
    if not names:
        return str(drift["summary"])
    rows = f"{pluralize(drift['n_rows'], 'row')} against {drift['n_reference']:,}"
    return f"{len(names)} of {pluralize(len(drift['findings']), 'column')} drifted: {_first_names(names)} ({rows})"


def _first_names(names: Sequence[str]) -> str:
    n_more = len(names) - _MAX_NAMES
    return f"{', '.join(names[:_MAX_NAMES])}{f' and {n_more} more' if n_more > 0 else ''}"


def drift_text_lines(drift: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (verdict, line): one for each column that is not stable, and one for all stable ones."""
    findings = drift["findings"]
    shown = [] if drift["shortage"] else [finding for finding in findings if finding["verdict"] != "stable"]
    for finding in shown:
        verdict = finding["verdict"]
        yield verdict, f"  {verdict.replace('_', ' '):16} {finding['column']}: {finding['summary']}"
    n_stable = sum(finding["verdict"] == "stable" for finding in findings)
    if n_stable:
        yield "stable", f"  {'stable':16} {pluralize(n_stable, 'column')} without a notable change"


def report_text_lines(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (verdict, line): those of `drift_text_lines`, then one for each metric."""
    yield from drift_text_lines(report["drift"])
    performance = report["performance"]
    names = list(performance["intervals"])
    width = max((len(metric_label(name)) for name in names), default=0)
    degraded = report["degradation"]["degraded_metrics"]
    for name in names:
        realized = format_metric(performance[name], performance["intervals"][name])
        estimated = format_metric(performance["estimated"].get(name, {}).get("value"))
        note = ", contradicted by outcomes" if estimate_disagrees(report, name) else ""
        is_degraded = name in degraded or (name == "f1_score" and "f1_weighted" in degraded)
        yield (
            "degraded" if is_degraded else "",
            f"  {metric_label(name):{width}} {realized}, estimated {estimated}{note}",
        )


def estimate_disagrees(report: Mapping[str, Any], name: str) -> bool:
    """Whether the realized metric contradicts the estimate."""
    return report["performance"]["estimates_agree"].get(name) is False


def format_metric(value: float | None, interval: list[float | None] | None = None) -> str:
    """Return a metric with its interval; `not known` without a value."""
    if value is None:
        return "not known"
    if interval is None or interval[0] is None or interval[1] is None:
        return f"{value:.4g}"
    return f"{value:.4g} ({interval[0]:.4g} to {interval[1]:.4g})"
