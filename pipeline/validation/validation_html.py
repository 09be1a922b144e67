"""Render a validation report as one HTML page that needs no network: findings, then the profile of each column."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pipeline.text import percent, pluralize, shorten

if TYPE_CHECKING:
    from pipeline.validation.column_profile import ColumnProfile
    from pipeline.validation.findings import ValidationFinding
    from pipeline.validation.validation_report import ValidationReport

__all__ = ["validation_report_html"]

_MAX_FINDINGS = 100
_MAX_EXAMPLES = 10
_MAX_COLUMNS = 100

_STYLE = """
:root { --ink: #1d2330; --soft: #667085; --line: #e4e7ec; --paper: #ffffff; --wash: #f6f7f9;
  --bar: #5b8def; --ok: #2e9e6b; --warning: #c98a00; --error: #d9480f; --critical: #b4232c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --soft: #98a2b3; --line: #2b3140; --paper: #14171f;
  --wash: #1c212c; --bar: #6f9cf5; --ok: #4cc38a; --warning: #e5b34b; --error: #f0824f; --critical: #f16a72; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0; } h2 { font-size: 18px; margin: 36px 0 12px; }
p { margin: 4px 0; } .soft { color: var(--soft); } code { font-family: ui-monospace, monospace; font-size: 13px; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 20px; }
.tile b { display: block; font-size: 24px; }
.columns { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 12px; }
.badge { display: inline-block; min-width: 74px; text-align: center; padding: 1px 9px; border-radius: 99px;
  color: var(--paper); font-size: 12px; }
.ok { background: var(--ok); } .warning { background: var(--warning); } .error { background: var(--error); }
.critical { background: var(--critical); }
.finding { display: grid; grid-template-columns: 90px 1fr; gap: 12px; padding: 12px 0;
  border-top: 1px solid var(--line); }
.finding:first-child { border-top: 0; } details { margin-top: 6px; } summary { cursor: pointer; color: var(--soft); }
.name { overflow-wrap: anywhere; } table { border-collapse: collapse; font-size: 13px; }
td, th { padding: 2px 14px 2px 0; text-align: left; vertical-align: top; } th { color: var(--soft); font-weight: 500; }
svg { display: block; width: 100%; height: 74px; margin: 10px 0 4px; }
text { fill: var(--soft); font-size: 10px; } rect { fill: var(--bar); } rect.gap { fill: var(--line); }
"""


def validation_report_html(report: ValidationReport) -> str:
    """Return the page as HTML; at most 100 findings with ten examples each, and 100 columns."""
    n_rows, n_columns = pluralize(report.n_rows, "row"), pluralize(len(report.profiles), "column")
    parts = [
        f"<h1>{escape(report.name)}</h1>",
        f"<p class=soft>{n_rows}, {n_columns} {_badge(report.level)}</p>",
        _render_tiles(report),
        "<h2>Findings</h2>",
        _render_findings(report),
        "<h2>Columns</h2>",
        f"<div class=columns>{''.join(_render_column(profile) for profile in report.profiles[:_MAX_COLUMNS])}</div>",
        _omitted_note(len(report.profiles) - _MAX_COLUMNS, "columns"),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Validation of {escape(report.name)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body><main>\n{body}\n</main></body>\n</html>\n"
    )


def _badge(level: str) -> str:
    return f'<span class="badge {level}">{level}</span>'


def _render_tiles(report: ValidationReport) -> str:
    quality = report.quality
    tiles = [
        ("quality score of 100", f"{quality.score:.1f}"),
        ("complete cells", percent(quality.completeness)),
        ("valid rows", percent(quality.validity)),
        ("unique rows", percent(quality.uniqueness)),
        ("values without outliers", percent(quality.consistency)),
    ]
    if report.n_unlabeled:
        tiles.append(("rows without a label", f"{report.n_unlabeled:,}"))
    if report.n_quarantined:
        tiles.append(("quarantined rows", f"{report.n_quarantined:,}"))
    shares = ", ".join(f"{escape(name)} {count:,}" for name, count in report.class_counts.items())
    cards = "".join(
        f'<div class="card tile"><b>{value}</b><span class=soft>{name}</span></div>' for name, value in tiles
    )
    return f"<div class=tiles>{cards}</div><p class=soft>classes: {shares}</p>"


def _render_findings(report: ValidationReport) -> str:
    findings = report.notable_findings()
    if not findings:
        return '<div class="card">Every rule passes.</div>'
    rendered = "".join(_render_finding(finding) for finding in findings[:_MAX_FINDINGS])
    return f'<div class="card">{rendered}</div>{_omitted_note(len(findings) - _MAX_FINDINGS, "findings")}'


def _render_finding(finding: ValidationFinding) -> str:
    where = f" of <b>{escape(finding.column)}</b>" if finding.column is not None else ""
    return (
        f"<div class=finding><div>{_badge(finding.level)}</div><div><p class=name><code>{finding.rule}</code>{where}:"
        f" {_escape_with_code(finding.message)}</p><p class=soft>{_escape_with_code(finding.cause)}</p>"
        f"{_render_examples(finding)}</div></div>"
    )


def _escape_with_code(text: str) -> str:
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if at % 2 else piece for at, piece in enumerate(pieces))


def _render_examples(finding: ValidationFinding) -> str:
    if not finding.rows:
        return ""
    shown = list(zip(finding.rows, finding.values, strict=True))[:_MAX_EXAMPLES]
    rows = "".join(f"<tr><td>{row:,}</td><td><code>{_format_value(value)}</code></td></tr>" for row, value in shown)
    return (
        f"<details><summary>first {len(shown)} of {finding.n_failed:,} rows</summary>"
        f"<table><tr><th>row</th><th>value</th></tr>{rows}</table></details>"
    )


def _format_value(value: str | None) -> str:
    if value is None:
        return "missing"
    return escape(shorten(value, 40))


def _omitted_note(n: int, what: str) -> str:
    return f"<p class=soft>{n:,} more {what} in the JSON report</p>" if n > 0 else ""


def _render_column(profile: ColumnProfile) -> str:
    facts = [
        ("missing", f"{profile.n_missing:,} ({percent(profile.n_missing / profile.n_rows)})"),
        ("distinct values", "over 2,000" if profile.n_distinct is None else f"{profile.n_distinct:,}"),
    ]
    if profile.mean is not None and profile.deviation is not None:
        facts.append(("mean, deviation", f"{profile.mean:.4g}, {profile.deviation:.4g}"))
        facts.append(("range", f"{profile.low:.6g} to {profile.high:.6g}"))
        facts.append(("median", f"{profile.quantiles['50 %']:.6g}"))
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in facts)
    title = f"<b>{escape(profile.column)}</b> <span class=soft>{profile.kind}</span>"
    return f'<div class="card name">{title}{_render_histogram(profile)}<table>{rows}</table></div>'


def _render_histogram(profile: ColumnProfile) -> str:
    bars = [*profile.bars, ("missing", profile.n_missing)] if profile.n_missing else list(profile.bars)
    if not bars:
        return ""
    highest = max(count for _, count in bars) or 1
    width = 300 / len(bars)
    drawn = "".join(
        f'<rect x="{at * width + 1:.1f}" y="{58 - 56 * count / highest:.1f}" width="{max(width - 2, 1):.1f}"'
        f' height="{56 * count / highest:.1f}"{_bar_class(name)}><title>{_format_value(name)}: {count:,}</title></rect>'
        for at, (name, count) in enumerate(bars)
    )
    first, last = escape(bars[0][0][:24]), escape(bars[-1][0][:24])
    labels = f'<text x="0" y="71">{first}</text><text x="300" y="71" text-anchor="end">{last}</text>'
    return f'<svg viewBox="0 0 300 74" role="img" aria-label="{escape(profile.column)}">{drawn}{labels}</svg>'


def _bar_class(name: str) -> str:
    return " class=gap" if name == "missing" else ""
