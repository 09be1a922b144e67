"""Write the story of an incident as lines of text, for terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.metrics.metric_labels import metric_label
from pipeline.text import format_duration, percent, timestamp, visible_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.alerts.story.incident_story import IncidentStory
    from pipeline.alerts.story.prediction_effect import PredictionEffect

__all__ = ["start_text", "story_lines"]

_MAX_CAUSES, _MAX_METRICS = 5, 8


def story_lines(story: IncidentStory) -> Iterator[str]:
    """Yield the story: start, causes, effect on predictions and metrics, worst slices, timeline, next steps."""
    incident = story.incident
    version = "" if story.version is None else f", version {story.version}"
    yield f"{incident.severity}: {visible_line(incident.title)}"
    yield f"{incident.status}, opened {timestamp(incident.opened_at)}{version}"
    yield start_text(story)
    for silence in story.silences:
        yield f"silenced until {timestamp(silence.until)} by {visible_line(silence.actor)}"
    yield from _section("Likely causes", _cause_lines(story))
    yield from _section("Effect on predictions", () if story.effect is None else _effect_lines(story.effect))
    yield from _section("Effect on metrics", _metric_lines(story))
    yield from _section("Worst slices", _slice_lines(story))
    yield from _section("Timeline", _timeline_lines(story))
    yield from _section("Next", (f"{step.text}: {step.command}" for step in story.steps))


def start_text(story: IncidentStory) -> str:
    """Return since when something is wrong, in one sentence."""
    start, labels = story.start, {cause["column"]: cause["label"] for cause in story.incident.details.get("causes", ())}
    bound = "at least " if start.is_bound else ""
    if start.basis == "drift":
        return f"{labels.get(start.name, start.name)} drifts since {bound}{timestamp(start.at)}"
    if start.basis == "metric":
        return f"{metric_label(start.name)} is beyond its limit since {bound}{timestamp(start.at)}"
    lasted = format_duration(story.until - start.at)
    return f"since {timestamp(start.at)}, for {lasted}"


def _section(title: str, lines: Iterator[str] | tuple[str, ...]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _cause_lines(story: IncidentStory) -> Iterator[str]:
    since = {line.column: line.beyond_since for line in story.drift}
    for cause in story.incident.details.get("causes", ())[:_MAX_CAUSES]:
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


def _metric_lines(story: IncidentStory) -> Iterator[str]:
    since = {line.metric: line.beyond_since for line in story.metrics}
    for metric in story.incident.details.get("metrics", ())[:_MAX_METRICS]:
        low, high = metric["interval"]
        interval = "" if low is None or high is None else f" ({low:.4f} to {high:.4f})"
        begin = since.get(metric["metric"])
        text = f"{metric['label']} {metric['value']:.4f}{interval}, training {metric['baseline']:.4f}"
        yield f"{text}, limit {metric['limit']:.4f}" + ("" if begin is None else f", since {timestamp(begin)}")


def _slice_lines(story: IncidentStory) -> Iterator[str]:
    for part in story.incident.details.get("slices", ()):
        interval = f"{percent(part['low'])} to {percent(part['high'])}"
        value = visible_line(part["value"])
        outcomes = f"{part['n_outcomes']:,} outcomes"
        yield f"{part['label']} {value}: accuracy {percent(part['accuracy'])} ({interval}), {outcomes}"


def _timeline_lines(story: IncidentStory) -> Iterator[str]:
    for event in story.timeline:
        by = f", by {visible_line(event.actor)}" if event.actor else ""
        reason = f": {visible_line(event.reason)}" if event.reason else ""
        yield f"{timestamp(event.at)}  {visible_line(event.text)}{by}{reason}"
