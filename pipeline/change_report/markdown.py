"""Write a change report as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.change_report.change_summary import change_effects
from pipeline.change_report.gate_verdicts import NOT_EVALUATED
from pipeline.markdown_text import escape_markdown
from pipeline.metrics.metric_labels import metric_label
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.change_report.change_report import ChangeReport, MetricChange
    from pipeline.metrics import MetricEstimate

__all__ = ["change_headline", "change_report_markdown", "format_difference", "format_interval"]

_MAX_SETTINGS = 50
_MAX_SLICES = 10
_BAR_WIDTH = 48


def change_headline(change: ChangeReport) -> str:
    """Return one sentence about settings, stages, metrics and gates."""
    worse = [metric_label(metric.name) for metric in change.metrics if metric.verdict == "worse"]
    better = [metric_label(metric.name) for metric in change.metrics if metric.verdict == "better"]
    parts = [f"{pluralize(len(change.settings), 'setting')} changed"]
    n_pending = len(change.pending_stages)
    parts.append(f"{pluralize(n_pending, 'stage')} not yet run" if n_pending else "all stages are up to date")
    if change.is_same_model and not change.is_stale:
        parts.append("the model is identical")
    if worse:
        parts.append(f"worse: {', '.join(worse)}")
    if better:
        parts.append(f"better: {', '.join(better)}")
    if change.is_same_model is False and not change.is_stale and not worse and not better:
        parts.append("no significant difference between the models")
    before, after = change.gate_verdicts
    if before != after and NOT_EVALUATED not in (before, after):
        parts.append(f"gates: {before} -> {after}")
    elif (before, after) != (NOT_EVALUATED, NOT_EVALUATED):
        parts.append(f"gates: {after}")
    return "; ".join(parts)


def change_report_markdown(change: ChangeReport) -> str:
    """Return the whole report; equal changes give equal text."""
    return "\n".join(_report_lines(change)).rstrip() + "\n"


def _report_lines(change: ChangeReport) -> Iterator[str]:
    yield f"## Change report against {escape_markdown(change.base)}"
    yield ""
    yield f"{escape_markdown(change_headline(change)).capitalize()}."
    yield ""
    for note in change.notes:
        yield f"> **Note:** {escape_markdown(note)}"
        yield ">"
    yield ""
    yield from _markdown_table(
        "Costs and benefits",
        ("subject", "effect", "what changes"),
        [(effect.subject, effect.label, effect.text) for effect in change_effects(change)],
    )
    yield from _settings_section(change)
    yield from _markdown_table(
        "Features, by severity",
        ("feature", "change", "breaks clients"),
        [
            (feature.column, feature.description, "**yes**" if feature.is_breaking else "no")
            for feature in change.schema
        ],
    )
    yield from _markdown_table(
        "Stages that ran", ("stage", "reason"), [(stage.stage, stage.reason) for stage in change.executed_stages]
    )
    yield from _markdown_table(
        "Stages that `dvc repro` would run",
        ("stage", "reason"),
        [(stage.stage, stage.reason) for stage in change.pending_stages],
    )
    yield from _metrics_section(change)
    yield from _gate_slice_and_cost_sections(change)


def _settings_section(change: ChangeReport) -> Iterator[str]:
    shown = change.settings[:_MAX_SETTINGS]
    rows = [(setting.label, setting.before, setting.after, ", ".join(setting.stages) or "none") for setting in shown]
    yield from _markdown_table("Settings", ("setting", "before", "after", "used by stages"), rows)
    if len(change.settings) > len(shown):
        yield f"{len(change.settings) - len(shown)} more settings changed; see `--json`."
        yield ""


def _metrics_section(change: ChangeReport) -> Iterator[str]:
    rows = [
        (
            metric_label(metric.name),
            format_interval(metric.before),
            format_interval(metric.after),
            format_difference(metric.difference),
            metric.verdict,
        )
        for metric in change.metrics
        if not change.is_same_model
    ]
    yield from _markdown_table("Metrics on the test rows", ("metric", "before", "after", "difference", "verdict"), rows)
    yield from _interval_chart([] if change.is_same_model else change.metrics)


def _interval_chart(metrics: Sequence[MetricChange]) -> Iterator[str]:
    """Yield a text chart of the intervals before and after, over one axis for each metric."""
    intervals = [
        (metric_label(metric.name), before, after)
        for metric in metrics
        if (before := _complete_interval(metric.before)) and (after := _complete_interval(metric.after))
    ]
    if not intervals:
        return
    width = max(len(name) for name, _, _ in intervals)
    yield "```text"
    for name, before, after in intervals:
        low, high = min(*before, *after), max(*before, *after)
        yield f"{name:{width}}  before  {_interval_bar(before, low, high)}  {before[0]:.4g}"
        yield f"{'':{width}}  after   {_interval_bar(after, low, high)}  {after[0]:.4g}"
    yield "```"
    yield ""


def _complete_interval(estimate: MetricEstimate | None) -> tuple[float, float, float] | None:
    if estimate is None or estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    return estimate.value, estimate.low, estimate.high


def _interval_bar(interval: tuple[float, float, float], low: float, high: float) -> str:
    """Draw one interval on an axis from `low` to `high`."""
    at, start, end = (
        round((value - low) / (high - low) * (_BAR_WIDTH - 1)) if high > low else _BAR_WIDTH // 2 for value in interval
    )
    characters = [" "] * _BAR_WIDTH
    characters[start : end + 1] = "─" * (end + 1 - start)
    characters[start], characters[end], characters[at] = "├", "┤", "●"
    return "".join(characters)


def _gate_slice_and_cost_sections(change: ChangeReport) -> Iterator[str]:
    rows = [(gate.name, gate.before or "", gate.after or "", gate.reason) for gate in change.gates]
    verdicts = ("verdict", *change.gate_verdicts, "")
    yield from _markdown_table("Gates", ("gate", "before", "after", "reason"), [*rows, verdicts] if rows else [])
    worse = [slice_ for slice_ in change.slices if slice_.verdict == "worse"]
    lines = [
        (f"{slice_.column} = {slice_.value}", f"{slice_.n_rows:,}", metric_label(slice_.metric), f"{slice_.before:.4g}",
         f"{slice_.after:.4g}", format_difference(slice_.difference))
        for slice_ in worse[:_MAX_SLICES]
    ]  # fmt: skip
    head = ("slice", "rows", "metric", "before", "after", "difference")
    yield from _markdown_table("Significantly worse slices", head, lines)
    if len(worse) > _MAX_SLICES:
        yield f"{pluralize(len(worse) - _MAX_SLICES, 'more slice')} with a smaller difference; see `--json`."
        yield ""
    facts = []
    if None not in change.size_mb:
        facts.append(("package", f"{change.size_mb[0]:g} MB", f"{change.size_mb[1]:g} MB"))
    if change.latency_ms is not None:
        facts.append(("one row", f"{change.latency_ms[0]:.3g} ms", f"{change.latency_ms[1]:.3g} ms"))
    yield from _markdown_table("Size and latency", ("", "before", "after"), facts)


def _markdown_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"### {title}"
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(escape_markdown(cell) for cell in row)} |"
    yield ""


def format_interval(estimate: MetricEstimate | None) -> str:
    """Return `0.142 (0.124 to 0.161)`, or the reason for no interval in brackets."""
    return _format_estimate(estimate, ".4g")


def format_difference(difference: MetricEstimate | None) -> str:
    """Return a difference with its sign, and its interval or the reason for none."""
    return _format_estimate(difference, "+.4g")


def _format_estimate(estimate: MetricEstimate | None, form: str) -> str:
    if estimate is None or estimate.value is None:
        return ""
    interval = estimate.reason
    if estimate.low is not None and estimate.high is not None:
        interval = f"{estimate.low:{form}} to {estimate.high:{form}}"
    return f"{estimate.value:{form}}{'' if interval is None else f' ({interval})'}"
