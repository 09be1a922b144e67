"""Write a change as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.change_report.change_report import ChangeReport, MetricChange, MetricInterval

__all__ = ["change_headline", "change_report_markdown", "format_difference", "format_interval"]

_MAX_SETTINGS = 50
_MAX_SLICES = 10
_BAR_WIDTH = 48


def change_headline(change: ChangeReport) -> str:
    """Return one sentence: settings, stages, what the figures say, the gates."""
    worse = [one.name for one in change.metrics if one.verdict == "worse"]
    better = [one.name for one in change.metrics if one.verdict == "better"]
    said = [f"{len(change.settings)} settings differ" if len(change.settings) != 1 else "1 setting differs"]
    said.append(
        f"{len(change.pending_stages)} stages are still to run" if change.pending_stages else "nothing is left to run"
    )
    if change.is_same_model and not change.is_stale:
        said.append("the model is the same, byte for byte")
    if worse:
        said.append(f"worse: {', '.join(worse)}")
    if better:
        said.append(f"better: {', '.join(better)}")
    if change.is_same_model is False and not change.is_stale and not worse and not better:
        said.append("the figures cannot tell the two models apart")
    before, after = change.gate_verdicts
    if after is not None:
        said.append(f"gates: {after}" if before in (None, after) else f"gates: {before} -> {after}")
    return "; ".join(said)


def change_report_markdown(change: ChangeReport) -> str:
    """Return the whole report; equal changes give equal text."""
    return "\n".join(_report_lines(change)).rstrip() + "\n"


def _report_lines(change: ChangeReport) -> Iterator[str]:
    yield f"## What this changes, against {_escape_markdown(change.base)}"
    yield ""
    yield f"{_escape_markdown(change_headline(change)).capitalize()}."
    yield ""
    for note in change.notes:
        yield f"> **Note:** {_escape_markdown(note)}"
        yield ">"
    yield ""
    yield from _settings_section(change)
    yield from _markdown_table(
        "Columns, for those who send rows",
        ("column", "change", "breaks callers"),
        [(one.column, one.description, "**yes**" if one.is_breaking else "no") for one in change.schema],
    )
    yield from _markdown_table(
        "Stages that ran", ("stage", "because of"), [(one.stage, one.reason) for one in change.executed_stages]
    )
    yield from _markdown_table(
        "Stages that `dvc repro` would run",
        ("stage", "because of"),
        [(one.stage, one.reason) for one in change.pending_stages],
    )
    yield from _metrics_section(change)
    yield from _gate_slice_and_cost_sections(change)


def _settings_section(change: ChangeReport) -> Iterator[str]:
    shown = change.settings[:_MAX_SETTINGS]
    rows = [(one.label, one.before, one.after, ", ".join(one.stages) or "none") for one in shown]
    yield from _markdown_table("Settings", ("setting", "before", "after", "stages that read it"), rows)
    if len(change.settings) > len(shown):
        yield f"{len(change.settings) - len(shown)} more settings differ; `--json` has them all."
        yield ""


def _metrics_section(change: ChangeReport) -> Iterator[str]:
    rows = [
        (one.name, format_interval(one.before), format_interval(one.after), format_difference(one), one.verdict)
        for one in change.metrics
        if not change.is_same_model
    ]
    yield from _markdown_table("Figures on the test rows", ("figure", "before", "after", "difference", ""), rows)
    yield from _interval_chart([] if change.is_same_model else change.metrics)


def _interval_chart(metrics: Sequence[MetricChange]) -> Iterator[str]:
    """Yield the intervals of both sides below each other, over the same axis, in letters that every page shows."""
    drawn = [one for one in metrics if one.before is not None and one.after is not None]
    known = [
        (one.name, before, after)
        for one in drawn
        if (before := _complete_interval(one.before)) and (after := _complete_interval(one.after))
    ]
    if not known:
        return
    width = max(len(name) for name, _, _ in known)
    yield "```text"
    for name, before, after in known:
        low, high = min(*before, *after), max(*before, *after)
        yield f"{name:{width}}  before  {_interval_bar(before, low, high)}  {before[0]:.4g}"
        yield f"{'':{width}}  after   {_interval_bar(after, low, high)}  {after[0]:.4g}"
    yield "```"
    yield ""


def _complete_interval(interval: MetricInterval | None) -> tuple[float, float, float] | None:
    if interval is None:
        return None
    value, low, high = interval
    return None if value is None or low is None or high is None else (value, low, high)


def _interval_bar(interval: tuple[float, float, float], low: float, high: float) -> str:
    """Draw one interval on an axis from `low` to `high`."""
    at, start, end = (
        round((one - low) / (high - low) * (_BAR_WIDTH - 1)) if high > low else _BAR_WIDTH // 2 for one in interval
    )
    signs = [" "] * _BAR_WIDTH
    signs[start : end + 1] = "─" * (end + 1 - start)
    signs[start], signs[end], signs[at] = "├", "┤", "●"
    return "".join(signs)


def _gate_slice_and_cost_sections(change: ChangeReport) -> Iterator[str]:
    rows = [(one.name, one.before or "", one.after or "", one.reason) for one in change.gates]
    verdicts = ("verdict", change.gate_verdicts[0] or "", change.gate_verdicts[1] or "", "")
    yield from _markdown_table("Gates", ("gate", "before", "after", "why"), [*rows, verdicts] if rows else [])
    worse = [
        (f"{one.column} = {one.part}", f"{one.n_rows:,}", one.metric, f"{one.before:.4g}", f"{one.after:.4g}",
         "**yes**" if one.is_beyond_chance else "no")
        for one in change.slices[:_MAX_SLICES]
    ]  # fmt: skip
    head = ("slice", "rows", "figure", "before", "after", "left its earlier interval")
    yield from _markdown_table("Slices that got worse", head, worse)
    if len(change.slices) > _MAX_SLICES:
        yield f"{len(change.slices) - _MAX_SLICES} more got worse by less."
        yield ""
    facts = []
    if None not in change.size_mb:
        facts.append(("package", f"{change.size_mb[0]:g} MB", f"{change.size_mb[1]:g} MB"))
    if change.latency_ms is not None:
        facts.append(("one row", f"{change.latency_ms[0]:.3g} ms", f"{change.latency_ms[1]:.3g} ms"))
    yield from _markdown_table("Size and time", ("", "before", "after"), facts)


def _markdown_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"### {title}"
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_escape_markdown(cell) for cell in row)} |"
    yield ""


def format_interval(interval: MetricInterval | None) -> str:
    """Return `0.142 (0.124 to 0.161)`."""
    if interval is None or interval[0] is None:
        return ""
    value, low, high = interval
    return f"{value:.4g}" if low is None or high is None else f"{value:.4g} ({low:.4g} to {high:.4g})"


def format_difference(metric: MetricChange) -> str:
    """Return the difference with its sign."""
    if metric.difference is None or metric.difference[0] is None:
        return ""
    value, low, high = metric.difference
    return f"{value:+.4g}" if low is None or high is None else f"{value:+.4g} ({low:+.4g} to {high:+.4g})"


def _escape_markdown(text: str) -> str:
    """Return text that neither ends a cell nor becomes markup of its own."""
    plain = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return plain.replace("@", "@\u200b")  # a name in a setting calls nobody
