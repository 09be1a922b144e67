"""Write a change as one HTML file with its pictures in it."""

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
  --then: #98a2b3; --now: #2f6fed; --good: #12805c; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --paper: #1b212c; --wash: #11151c; --ink: #e6e9ef; --soft: #98a2b3;
  --line: #2c3444; --then: #667085; --now: #6f9cf5; --good: #4cc38a; --bad: #f0726a; } }
* { box-sizing: border-box; } body { margin: 0; background: var(--wash); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; } h1 { font-size: 26px; margin: 0; }
h2 { font-size: 18px; margin: 32px 0 10px; } .soft { color: var(--soft); }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px; overflow-x: auto; }
.note { border-left: 4px solid var(--bad); margin: 10px 0; } .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 12px; }
table { border-collapse: collapse; width: 100%; } td, th { padding: 4px 14px 4px 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; } .better { color: var(--good); font-weight: 600; } .worse, .fail { color: var(--bad); font-weight: 600; }
svg { display: block; width: 100%; } .then { stroke: var(--then); fill: var(--then); } .now { stroke: var(--now); fill: var(--now); }
path.then, path.now { fill: none; stroke-width: 2; } .axis { stroke: var(--line); } text { fill: var(--soft); font-size: 11px; }
"""


def change_report_html(change: ChangeReport) -> str:
    """Return the page; it needs no network, and equal changes give equal bytes."""
    parts = [
        f"<h1>What this changes</h1><p class=soft>against {escape(change.base)}; grey is before, blue is after</p>",
        f"<p>{escape(change_headline(change)).capitalize()}.</p>",
        *(f"<div class='card note'>{escape(note)}</div>" for note in change.notes),
        *_sections(change),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>What this changes</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body><main>\n{chr(10).join(part for part in parts if part)}\n</main></body>\n</html>\n"
    )


def _sections(change: ChangeReport) -> Iterator[str]:
    yield _html_table(
        "Settings",
        ("setting", "before", "after", "stages that read it"),
        [(one.label, one.before, one.after, ", ".join(one.stages) or "none") for one in change.settings],
    )
    yield _html_table(
        "Columns, for those who send rows",
        ("column", "change", "breaks callers"),
        [(one.column, one.description, "yes" if one.is_breaking else "no") for one in change.schema],
    )
    yield _html_table(
        "Stages that ran", ("stage", "because of"), [(one.stage, one.reason) for one in change.executed_stages]
    )
    yield _html_table(
        "Stages that dvc repro would run",
        ("stage", "because of"),
        [(one.stage, one.reason) for one in change.pending_stages],
    )
    yield _html_table(
        "Figures on the test rows",
        ("figure", "before", "after", "difference", "", "unit"),
        [
            (
                one.name,
                format_interval(one.before),
                format_interval(one.after),
                format_difference(one),
                one.verdict,
                one.unit,
            )
            for one in change.metrics
            if not change.is_same_model
        ],
    )
    yield _charts(change)
    yield from _gate_and_slice_sections(change)


def _gate_and_slice_sections(change: ChangeReport) -> Iterator[str]:
    yield _html_table(
        f"Gates: {change.gate_verdicts[0] or 'not judged'} before, {change.gate_verdicts[1] or 'not judged'} after",
        ("gate", "before", "after", "why"),
        [(one.name, one.before or "", one.after or "", one.reason) for one in change.gates],
    )
    yield _html_table(
        "Slices that got worse",
        ("slice", "rows", "figure", "before", "after", "left its earlier interval"),
        [
            (f"{one.column} = {one.part}", f"{one.n_rows:,}", one.metric, f"{one.before:.4g}", f"{one.after:.4g}",
             "yes" if one.is_beyond_chance else "no")
            for one in change.slices
        ],
    )  # fmt: skip
    sizes = [f"{one:g} MB" if one is not None else "not known" for one in change.size_mb]
    times = [f"{one:.3g} ms" for one in change.latency_ms] if change.latency_ms is not None else []
    rows = [("package", *sizes), *([("one row", *times)] if times else [])]
    yield _html_table("Size and time", ("", "before", "after"), rows)


def _html_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    columns = "".join(f"<th>{escape(one)}</th>" for one in head)
    lines = "".join(f"<tr>{''.join(_table_cell(one) for one in row)}</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><div class=card><table><tr>{columns}</tr>{lines}</table></div>"


def _table_cell(text: str) -> str:
    kind = f" class={text}" if text in ("better", "worse", "fail") else ""
    return f"<td{kind}>{escape(text)}</td>"


def _charts(change: ChangeReport) -> str:
    drawn = [
        *(
            f"<div class=card>{escape(one.name)}{_interval_svg(one)}</div>"
            for one in change.metrics
            if _has_interval(one)
        ),
        *(
            f"<div class=card>{escape(name)}{_curve_svg(*both)}</div>"
            for name, both in change.curves.items()
            if any(both)
        ),
    ]
    return f"<h2>Pictures</h2><div class=grid>{''.join(drawn)}</div>" if drawn else ""


def _has_interval(metric: MetricChange) -> bool:
    return any(one is not None and None not in one for one in (metric.before, metric.after))


def _interval_svg(metric: MetricChange) -> str:
    """Draw both intervals over one axis."""
    known = [(name, one) for name, one in (("then", metric.before), ("now", metric.after)) if one is not None]
    values = [value for _, one in known for value in one if value is not None]
    low, high = min(values), max(values)
    width = (high - low) or abs(high) or 1.0
    marks = []
    for row, (name, (value, start, end)) in enumerate(known):
        if value is None or start is None or end is None:
            continue
        y = 14 + 20 * row
        x, first, last = (20 + 260 * (one - low) / width for one in (value, start, end))
        marks.append(
            f'<line class={name} x1="{first:.1f}" x2="{last:.1f}" y1="{y}" y2="{y}" stroke-width="2"/>'
            f'<circle class={name} cx="{x:.1f}" cy="{y}" r="4"><title>{value:.4g} ({start:.4g} to {end:.4g})</title></circle>'
        )
    ends = f'<text x="20" y="64">{low:.4g}</text><text x="280" y="64" text-anchor="end">{high:.4g}</text>'
    return f'<svg viewBox="0 0 300 70" role="img">{"".join(marks)}{ends}</svg>'


def _curve_svg(before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]]) -> str:
    drawn = [
        '<line class=axis x1="10" y1="210" x2="210" y2="10"/><rect class=axis x="10" y="10" width="200" height="200" fill="none"/>'
    ]
    for name, points in (("then", before), ("now", after)):
        if points:
            line = " L".join(f"{10 + 200 * x:.1f} {210 - 200 * y:.1f}" for x, y in points)
            drawn.append(f'<path class={name} d="M{line}"/>')
    return f'<svg viewBox="0 0 220 220" role="img">{"".join(drawn)}</svg>'
