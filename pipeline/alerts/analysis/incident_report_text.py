"""Write the report of an incident as lines of text, for terminals."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from pipeline.metrics.metric_labels import metric_label
from pipeline.text import format_duration, percent, short_timestamp, timestamp, visible_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from pipeline.alerts.analysis.incident_report import IncidentReport
    from pipeline.alerts.analysis.prediction_effect import PredictionEffect

__all__ = ["report_lines", "start_text"]

_MAX_CAUSES, _MAX_METRICS = 5, 8


def report_lines(report: IncidentReport) -> Iterator[str]:
    """Yield the report: start, causes, effect on predictions and metrics, worst slices, timeline, next steps."""
    incident = report.incident
    version = "" if report.version is None else f", version {report.version}"
    start = start_text(report)
    yield f"{start[0].upper()}{start[1:]}; opened {timestamp(incident.opened_at)}{version}"
    for silence in report.silences:
        yield f"silenced until {timestamp(silence.until)} by {visible_line(silence.actor)}"
    if not incident.details.get("causes") and not incident.details.get("metrics"):
        yield from _section("Findings", (visible_line(line) for line in incident.message.splitlines()))
    yield from _section("Likely causes", _cause_lines(report))
    yield from _section("Effect on predictions", () if report.effect is None else _effect_lines(report.effect))
    yield from _section("Effect on metrics", _metric_lines(report))
    yield from _section("Worst slices", _slice_lines(report))
    yield from _section("Timeline", _timeline_lines(report))
    yield from _section("Next", (f"{step.text}: {step.command}" for step in report.steps))


def start_text(report: IncidentReport, zone: tzinfo = UTC) -> str:
    """Return since when something is wrong, in one clause; the year is left out if the report ends in it."""
    start, labels = (
        report.start,
        {cause["column"]: cause["label"] for cause in report.incident.details.get("causes", ())},
    )
    bound, begin = "at least " if start.is_bound else "", short_timestamp(start.at, zone, now=report.until)
    if start.basis == "drift":
        return f"{labels.get(start.name, start.name)} drifts since {bound}{begin}"
    if start.basis == "metric":
        return f"{metric_label(start.name)} is beyond its limit since {bound}{begin}"
    lasted = format_duration(report.until - start.at)
    return f"since {begin}, for {lasted}"


def _section(title: str, lines: Iterator[str] | tuple[str, ...]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _cause_lines(report: IncidentReport) -> Iterator[str]:
    since = {line.column: line.beyond_since for line in report.drift}
    for cause in report.incident.details.get("causes", ())[:_MAX_CAUSES]:
        begin = since.get(cause["column"]) or cause["drifting_since"]
        yield visible_line(cause["summary"]) + ("" if begin is None else f", since {timestamp(begin)}")


def _effect_lines(effect: PredictionEffect) -> Iterator[str]:
    before, after = effect.before, effect.after
    for period in (before, after):
        if period.shortage:
            yield f"{'before' if period is before else 'after'}: {period.shortage}"
    if before.shortage or after.shortage:
        return
    for name in effect.classes:
        yield f"{visible_line(name)}: {percent(before.shares.get(name, 0.0))} to {percent(after.shares.get(name, 0.0))}"
    yield f"confidence: {percent(before.mean_confidence)} to {percent(after.mean_confidence)}"


def _metric_lines(report: IncidentReport) -> Iterator[str]:
    since = {line.metric: line.beyond_since for line in report.metrics}
    for metric in report.incident.details.get("metrics", ())[:_MAX_METRICS]:
        low, high = metric["interval"]
        interval = "" if low is None or high is None else f" ({low:.4f} to {high:.4f})"
        begin = since.get(metric["metric"])
        text = f"{metric['label']} {metric['value']:.4f}{interval}, training {metric['baseline']:.4f}"
        yield f"{text}, limit {metric['limit']:.4f}" + ("" if begin is None else f", since {timestamp(begin)}")


def _slice_lines(report: IncidentReport) -> Iterator[str]:
    for part in report.incident.details.get("slices", ()):
        interval = f"{percent(part['low'])} to {percent(part['high'])}"
        value = visible_line(part["value"])
        outcomes = f"{part['n_outcomes']:,} outcomes"
        yield f"{part['label']} {value}: accuracy {percent(part['accuracy'])} ({interval}), {outcomes}"


def _timeline_lines(report: IncidentReport) -> Iterator[str]:
    for event in report.timeline:
        until = "" if event.until is None else f" until {timestamp(event.until)}"
        by = f"{until}, by {visible_line(event.actor)}" if event.actor else until
        reason = f": {visible_line(event.reason)}" if event.reason else ""
        yield f"{timestamp(event.at)}  {visible_line(event.text)}{by}{reason}"
