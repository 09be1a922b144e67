"""Render a monitoring report as text lines, and as one HTML page that loads nothing from the network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["monitoring_report_html", "report_headline", "report_text_lines"]

_MAX_COLUMNS = 100
_CHART_LEGEND = (
    "Gray is the reference, blue is this window. "
    "The last bins are values outside of the training range and missing values."
)
_BADGES = {"drift": "bad", "degraded": "bad", "watch": "warn", "stable": "good", "ok": "good"}
_STYLE = """
:root { --ink: #1d2330; --soft: #667085; --line: #e4e7ec; --paper: #fff; --wash: #f6f7f9; --reference: #b7c0cf;
  --window: #3f74d9; --good: #2e9e6b; --warn: #c98a00; --bad: #c2372f; --none: #667085; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --soft: #98a2b3; --line: #2b3140; --paper: #14171f;
  --wash: #1c212c; --reference: #475063; --window: #6f9cf5; --good: #4cc38a; --warn: #e5b34b; --bad: #f0726a;
  --none: #98a2b3; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; } h1 { font-size: 26px; margin: 0; }
h2 { font-size: 18px; margin: 36px 0 12px; } p { margin: 4px 0; } .soft { color: var(--soft); }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 12px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 20px; }
.tiles b { display: block; font-size: 24px; } .name { overflow-wrap: anywhere; font-weight: 600; }
.badge { padding: 1px 9px; border-radius: 99px; color: var(--paper); font-size: 12px; background: var(--none); }
.good { background: var(--good); } .warn { background: var(--warn); } .bad { background: var(--bad); }
table { border-collapse: collapse; width: 100%; } td, th { padding: 4px 14px 4px 0; text-align: left; }
th { color: var(--soft); font-weight: 500; }
svg { display: block; width: 100%; height: 74px; margin: 10px 0 4px; } .reference { fill: var(--reference); }
.window { fill: var(--window); }
"""


def report_headline(report: Mapping[str, Any]) -> str:
    """Return one line: drift, degradation, outcomes."""
    drift, degraded = report["drift"], report["degradation"]["degraded_metrics"]
    shortage = report["degradation"]["shortage"]
    performance = f"degraded: {', '.join(degraded)}" if degraded else "no degradation"
    note = ", provisional: outcomes still arriving" if report["performance"]["provisional"] else ""
    if shortage:
        return f"{report['model']}: {drift['summary']}; degradation unknown: {shortage}{note}"
    outcomes = pluralize(report["performance"]["n_outcomes"], "outcome")
    return f"{report['model']}: {drift['summary']}; {performance}{note} ({outcomes})"


def report_text_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for each column, then one for each metric."""
    for finding in report["drift"]["findings"]:
        yield f"  {finding['verdict']:16} {finding['column']}: {finding['summary']}"
    performance = report["performance"]
    for name, interval in performance["intervals"].items():
        estimated = _format_metric(performance["estimated"][name]["value"])
        note = ", contradicted by outcomes" if _estimate_disagrees(report, name) else ""
        yield f"  {name:16} {_format_metric(performance[name], interval)}, estimated {estimated}{note}"


def monitoring_report_html(report: Mapping[str, Any]) -> str:
    """Return the page as HTML; at most 100 columns, the most severe first."""
    findings, window = report["drift"]["findings"], report["drift"]["window"]
    n_hidden = len(findings) - _MAX_COLUMNS
    period = f"{window['since']} to {window['until']}" if window is not None else "rows of a frame"
    parts = [
        f"<h1>{escape(report['model'])} {_badge_html(report['drift']['verdict'])}</h1>",
        f"<p class=soft>{escape(period)}</p>",
        f"<p>{escape(report_headline(report))}</p>",
        _tiles_html(report),
        "<h2>Performance</h2>",
        _performance_table_html(report),
        "<h2>Drift by column</h2>",
        f"<p class=soft>{_CHART_LEGEND}</p>",
        f"<div class=grid>{''.join(_column_card_html(finding) for finding in findings[:_MAX_COLUMNS])}</div>",
        f"<p class=soft>The JSON file has {n_hidden} more columns.</p>" if n_hidden > 0 else "",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Monitoring of {escape(report['model'])}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body><main>\n{chr(10).join(parts)}\n</main></body>\n</html>\n"
    )


def _tiles_html(report: Mapping[str, Any]) -> str:
    dashboard, performance = report["dashboard"], report["performance"]
    tiles = {
        "predictions": f"{dashboard['total_predictions']:,}",
        "average confidence": _format_metric(dashboard["average_confidence"]),
        "outcome coverage": percent(performance["coverage"]),
        "drifted columns": "unknown" if report["drift"]["shortage"] else str(len(report["drift"]["drifted_features"])),
    }
    cards = [f"<div class=card><b>{value}</b>{name}</div>" for name, value in tiles.items()]
    return f"<div class=tiles>{''.join(cards)}</div>"


def _performance_table_html(report: Mapping[str, Any]) -> str:
    performance = report["performance"]
    degradations = {finding["metric"]: finding for finding in report["degradation"]["findings"]}
    rows = []
    for name, interval in performance["intervals"].items():
        estimated = performance["estimated"][name]
        degradation = degradations.get(name, degradations.get("f1_weighted" if name == "f1_score" else name))
        baseline = _format_metric(degradation["baseline"]) if degradation else "none"
        note = " <span class='badge warn'>contradicted</span>" if _estimate_disagrees(report, name) else ""
        rows.append(
            f"<tr><td>{escape(name)}</td><td>{_format_metric(performance[name], interval)}</td>"
            f"<td>{_format_metric(estimated['value'], [estimated['low'], estimated['high']])}{note}</td>"
            f"<td>{baseline}</td><td>{_badge_html(degradation['verdict']) if degradation else ''}</td></tr>"
        )
    head = "<tr><th>metric</th><th>realized</th><th>estimated</th><th>baseline</th><th></th></tr>"
    return f"<div class=card><table>{head}{''.join(rows)}</table></div>"


def _estimate_disagrees(report: Mapping[str, Any], name: str) -> bool:
    """Whether the realized metric contradicts the estimate."""
    return report["performance"]["estimates_agree"].get(name) is False


def _column_card_html(finding: Mapping[str, Any]) -> str:
    test = ""
    if finding["value"] is not None:
        statistic = f"{finding['statistic']} {finding['value']:.3g}"
        test = f"{statistic}, threshold {finding['threshold']:.3g}, p-value {finding['p_value']:.2g}"
    return (
        f"<div class=card><span class=name>{escape(finding['column'])}</span> {_badge_html(finding['verdict'])}"
        f"{_bar_chart_svg(finding['shares'])}<p>{escape(finding['summary'])}</p><p class=soft>{escape(test)}</p></div>"
    )


def _bar_chart_svg(shares: list[list[Any]]) -> str:
    if not shares:
        return ""
    top = max(max(reference, window) for _, reference, window in shares) or 1.0
    width = 320 / len(shares)
    bars = []
    for i, (label, reference, window) in enumerate(shares):
        sides = f"{percent(reference)} in the reference, {percent(window)} in the window"
        title = f"<title>{escape(str(label))}: {sides}</title>"
        for offset, side, share in ((0.08, "reference", reference), (0.5, "window", window)):
            height = 70 * share / top
            bars.append(
                f'<rect class={side} x="{(i + offset) * width:.1f}" y="{74 - height:.1f}" width="{0.4 * width:.1f}"'
                f' height="{height:.1f}">{title}</rect>'
            )
    return f'<svg viewBox="0 0 320 74" preserveAspectRatio="none" role="img">{"".join(bars)}</svg>'


def _badge_html(verdict: str) -> str:
    return f"<span class='badge {_BADGES.get(verdict, '')}'>{escape(verdict.replace('_', ' '))}</span>"


def _format_metric(value: float | None, interval: list[float | None] | None = None) -> str:
    if value is None:
        return "not known"
    if interval is None or interval[0] is None or interval[1] is None:
        return f"{value:.4g}"
    return f"{value:.4g} ({interval[0]:.4g} to {interval[1]:.4g})"
