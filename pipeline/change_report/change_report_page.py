"""Write a change report as one HTML file with inline charts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pipeline.change_report.markdown import change_headline, format_difference, format_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.change_report.change_report import ChangeReport, MetricChange

__all__ = ["change_report_html"]

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --wash: #f6f7f9; --ink: #1c2430; --soft: #667085; --line: #e4e7ec;
  --before: #98a2b3; --after: #2f6fed; --good: #12805c; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --paper: #1b212c; --wash: #11151c; --ink: #e6e9ef; --soft: #98a2b3;
  --line: #2c3444; --before: #667085; --after: #6f9cf5; --good: #4cc38a; --bad: #f0726a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; } h1 { font-size: 26px; margin: 0; }
h2 { font-size: 18px; margin: 32px 0 10px; } .soft { color: var(--soft); }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px;
overflow-x: auto; }
.note { border-left: 4px solid var(--bad); margin: 10px 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 12px; }
table { border-collapse: collapse; width: 100%; }
td, th { padding: 4px 14px 4px 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; } .better { color: var(--good); font-weight: 600; }
.worse, .fail { color: var(--bad); font-weight: 600; }
svg { display: block; width: 100%; } .before { stroke: var(--before); fill: var(--before); }
.after { stroke: var(--after); fill: var(--after); }
path.before, path.after { fill: none; stroke-width: 2; } .axis { stroke: var(--line); }
text { fill: var(--soft); font-size: 11px; }
"""


def change_report_html(change: ChangeReport) -> str:
    """Return the page; it needs no network, and equal reports give equal bytes."""
    parts = [
        f"<h1>Change report</h1><p class=soft>against {escape(change.base)}; gray is before, blue is after</p>",
        f"<p>{escape(change_headline(change)).capitalize()}.</p>",
        *(f"<div class='card note'>{escape(note)}</div>" for note in change.notes),
        *_sections(change),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Change report</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body><main>\n{chr(10).join(part for part in parts if part)}\n</main></body>\n</html>\n"
    )


def _sections(change: ChangeReport) -> Iterator[str]:
    yield _html_table(
        "Settings",
        ("setting", "before", "after", "used by stages"),
        [
            (setting.label, setting.before, setting.after, ", ".join(setting.stages) or "none")
            for setting in change.settings
        ],
    )
    yield _html_table(
        "Features, by severity",
        ("feature", "change", "breaks clients"),
        [(feature.column, feature.description, "yes" if feature.is_breaking else "no") for feature in change.schema],
    )
    yield _html_table(
        "Stages that ran", ("stage", "reason"), [(stage.stage, stage.reason) for stage in change.executed_stages]
    )
    yield _html_table(
        "Stages that dvc repro would run",
        ("stage", "reason"),
        [(stage.stage, stage.reason) for stage in change.pending_stages],
    )
    yield _html_table(
        "Metrics on the test rows",
        ("metric", "before", "after", "difference", "verdict", "unit"),
        [
            (
                metric.name,
                format_interval(metric.before),
                format_interval(metric.after),
                format_difference(metric.difference),
                metric.verdict,
                metric.unit,
            )
            for metric in change.metrics
            if not change.is_same_model
        ],
    )
    yield _charts(change)
    yield from _gate_and_slice_sections(change)


def _gate_and_slice_sections(change: ChangeReport) -> Iterator[str]:
    old_verdict, new_verdict = change.gate_verdicts
    yield _html_table(
        f"Gates: {old_verdict} before, {new_verdict} after",
        ("gate", "before", "after", "reason"),
        [(gate.name, gate.before or "", gate.after or "", gate.reason) for gate in change.gates],
    )
    yield _html_table(
        "Worse slices",
        ("slice", "rows", "metric", "before", "after", "difference", "verdict"),
        [
            (f"{slice_.column} = {slice_.value}", f"{slice_.n_rows:,}", slice_.metric, f"{slice_.before:.4g}",
             f"{slice_.after:.4g}", format_difference(slice_.difference), slice_.verdict)
            for slice_ in change.slices
        ],
    )  # fmt: skip
    sizes = [f"{size_mb:g} MB" if size_mb is not None else "unknown" for size_mb in change.size_mb]
    latencies = [f"{latency_ms:.3g} ms" for latency_ms in change.latency_ms or ()]
    rows = [("package", *sizes), *([("one row", *latencies)] if latencies else [])]
    yield _html_table("Size and latency", ("", "before", "after"), rows)


def _html_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    columns = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(_table_cell(text) for text in row)}</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><div class=card><table><tr>{columns}</tr>{lines}</table></div>"


def _table_cell(text: str) -> str:
    kind = f" class={text}" if text in ("better", "worse", "fail") else ""
    return f"<td{kind}>{escape(text)}</td>"


def _charts(change: ChangeReport) -> str:
    cards = [
        *(
            f"<div class=card>{escape(metric.name)}{_interval_svg(metric)}</div>"
            for metric in change.metrics
            if _has_interval(metric)
        ),
        *(
            f"<div class=card>{escape(name)}{_curve_svg(*both)}</div>"
            for name, both in change.curves.items()
            if any(both)
        ),
    ]
    return f"<h2>Charts</h2><div class=grid>{''.join(cards)}</div>" if cards else ""


def _has_interval(metric: MetricChange) -> bool:
    return any(estimate is not None and estimate.low is not None for estimate in (metric.before, metric.after))


def _interval_svg(metric: MetricChange) -> str:
    """Draw both intervals over one axis."""
    known = [
        (side, (estimate.value, estimate.low, estimate.high))
        for side, estimate in (("before", metric.before), ("after", metric.after))
        if estimate is not None
    ]
    values = [value for _, interval in known for value in interval if value is not None]
    low, high = min(values), max(values)
    width = (high - low) or abs(high) or 1.0
    marks = []
    for row, (side, (value, start, end)) in enumerate(known):
        if value is None or start is None or end is None:
            continue
        y = 14 + 20 * row
        x, first, last = (20 + 260 * (number - low) / width for number in (value, start, end))
        marks.append(
            f'<line class={side} x1="{first:.1f}" x2="{last:.1f}" y1="{y}" y2="{y}" stroke-width="2"/>'
            f'<circle class={side} cx="{x:.1f}" cy="{y}" r="4">'
            f"<title>{value:.4g} ({start:.4g} to {end:.4g})</title></circle>"
        )
    ends = f'<text x="20" y="64">{low:.4g}</text><text x="280" y="64" text-anchor="end">{high:.4g}</text>'
    return f'<svg viewBox="0 0 300 70" role="img">{"".join(marks)}{ends}</svg>'


def _curve_svg(before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]]) -> str:
    shapes = [
        (
            '<line class=axis x1="10" y1="210" x2="210" y2="10"/>'
            '<rect class=axis x="10" y="10" width="200" height="200" fill="none"/>'
        )
    ]
    for side, points in (("before", before), ("after", after)):
        if points:
            line = " L".join(f"{10 + 200 * x:.1f} {210 - 200 * y:.1f}" for x, y in points)
            shapes.append(f'<path class={side} d="M{line}"/>')
    return f'<svg viewBox="0 0 220 220" role="img">{"".join(shapes)}</svg>'
