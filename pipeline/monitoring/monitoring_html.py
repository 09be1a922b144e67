"""Draw a monitoring report as words, and as one page that needs no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["has_no_findings", "headline", "render_html", "text_lines"]

_MAX_COLUMNS = 100
_BADGES = {"drift": "bad", "degraded": "bad", "watch": "warn", "stable": "good", "ok": "good"}
_STYLE = """
:root { --ink: #1d2330; --soft: #667085; --line: #e4e7ec; --paper: #fff; --wash: #f6f7f9; --then: #b7c0cf; --now: #3f74d9;
  --good: #2e9e6b; --warn: #c98a00; --bad: #c2372f; --none: #667085; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --soft: #98a2b3; --line: #2b3140; --paper: #14171f;
  --wash: #1c212c; --then: #475063; --now: #6f9cf5; --good: #4cc38a; --warn: #e5b34b; --bad: #f0726a; --none: #98a2b3; } }
* { box-sizing: border-box; } body { margin: 0; background: var(--wash); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; } h1 { font-size: 26px; margin: 0; }
h2 { font-size: 18px; margin: 36px 0 12px; } p { margin: 4px 0; } .soft { color: var(--soft); }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 12px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 20px; }
.tiles b { display: block; font-size: 24px; } .name { overflow-wrap: anywhere; font-weight: 600; }
.badge { padding: 1px 9px; border-radius: 99px; color: var(--paper); font-size: 12px; background: var(--none); }
.good { background: var(--good); } .warn { background: var(--warn); } .bad { background: var(--bad); }
table { border-collapse: collapse; width: 100%; } td, th { padding: 4px 14px 4px 0; text-align: left; } th { color: var(--soft); font-weight: 500; }
svg { display: block; width: 100%; height: 74px; margin: 10px 0 4px; } .then { fill: var(--then); } .now { fill: var(--now); }
"""


def has_no_findings(report: Mapping[str, Any]) -> bool:
    """Whether nothing drifted and nothing degraded."""
    return not report["drift"]["drift_detected"] and not report["degradation"]["degradation_detected"]


def headline(report: Mapping[str, Any]) -> str:
    """Return one line: traffic, drift, degradation."""
    drift, worse = report["drift"], report["degradation"]["degraded_metrics"]
    performance = f"degraded: {', '.join(worse)}" if worse else "no degradation was found"
    if report["performance"]["provisional"]:
        performance += ", provisional while outcomes may still come"
    outcomes = pluralize(report["performance"]["n_outcomes"], "outcome")
    return f"{report['model']}: {drift['summary']}; {performance} ({outcomes})"


def text_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for each column, then one for each figure."""
    for one in report["drift"]["findings"]:
        yield f"  {one['verdict']:16} {one['column']}: {one['words']}"
    for name, low_high in report["performance"]["intervals"].items():
        expected = report["performance"]["expected"][name]["value"]
        doubt = ", which is not trusted: what came true lies elsewhere" if _estimate_disagrees(report, name) else ""
        yield f"  {name:16} {_format_metric(report['performance'][name], low_high)}, expected {_format_metric(expected)}{doubt}"


def render_html(report: Mapping[str, Any]) -> str:
    """Return the page as HTML; at most 100 columns, the most worrying first."""
    findings = report["drift"]["findings"]
    left_out = len(findings) - _MAX_COLUMNS
    window = report["drift"]["window"]
    parts = [
        f"<h1>{escape(report['model'])} {_badge_html(report['drift']['verdict'])}</h1>",
        f"<p class=soft>{escape(window['since'])} to {escape(window['until'])}</p>",
        f"<p>{escape(headline(report))}</p>",
        _tiles_html(report),
        "<h2>Performance</h2>",
        _performance_table_html(report),
        "<h2>Columns, most worrying first</h2>",
        "<p class=soft>Grey is training, blue is this window; the last bins are values outside of training and missing ones.</p>",
        f"<div class=grid>{''.join(_column_card_html(one) for one in findings[:_MAX_COLUMNS])}</div>",
        f"<p class=soft>{left_out} more columns are in the JSON file.</p>" if left_out > 0 else "",
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
        "with an outcome": percent(performance["coverage"]),
        "columns drifted": str(len(report["drift"]["drifted_features"])),
    }
    return f"<div class=tiles>{''.join(f'<div class=card><b>{value}</b>{name}</div>' for name, value in tiles.items())}</div>"


def _performance_table_html(report: Mapping[str, Any]) -> str:
    performance = report["performance"]
    verdicts = {one["metric"]: one for one in report["degradation"]["findings"]}
    rows = []
    for name, low_high in performance["intervals"].items():
        expected = performance["expected"][name]
        said = verdicts.get(name, verdicts.get("f1_weighted" if name == "f1_score" else name))
        note = " <span class='badge warn'>not trusted</span>" if _estimate_disagrees(report, name) else ""
        rows.append(
            f"<tr><td>{escape(name)}</td><td>{_format_metric(performance[name], low_high)}</td>"
            f"<td>{_format_metric(expected['value'], [expected['low'], expected['high']])}{note}</td>"
            f"<td>{_format_metric(said['baseline']) if said else 'none'}</td><td>{_badge_html(said['verdict']) if said else ''}</td></tr>"
        )
    head = "<tr><th>figure</th><th>measured</th><th>expected without outcomes</th><th>baseline</th><th></th></tr>"
    return f"<div class=card><table>{head}{''.join(rows)}</table></div>"


def _estimate_disagrees(report: Mapping[str, Any], name: str) -> bool:
    """Whether what came true lies outside of what was expected."""
    return report["performance"]["trusted"].get(name) is False


def _column_card_html(finding: Mapping[str, Any]) -> str:
    size = ""
    if finding["value"] is not None:
        size = (
            f"{finding['statistic']} {finding['value']:.3g}, limit {finding['limit']:.3g}, p {finding['p_value']:.2g}"
        )
    return (
        f"<div class=card><span class=name>{escape(finding['column'])}</span> {_badge_html(finding['verdict'])}"
        f"{_bar_chart_svg(finding['shares'])}<p>{escape(finding['words'])}</p><p class=soft>{escape(size)}</p></div>"
    )


def _bar_chart_svg(shares: list[list[Any]]) -> str:
    if not shares:
        return ""
    top = max(max(before, now) for _, before, now in shares) or 1.0
    width = 320 / len(shares)
    drawn = []
    for i, (label, before, now) in enumerate(shares):
        title = f"<title>{escape(str(label))}: {percent(before)} then, {percent(now)} now</title>"
        for offset, name, share in ((0.08, "then", before), (0.5, "now", now)):
            height = 70 * share / top
            drawn.append(
                f'<rect class={name} x="{(i + offset) * width:.1f}" y="{74 - height:.1f}" width="{0.4 * width:.1f}"'
                f' height="{height:.1f}">{title}</rect>'
            )
    return f'<svg viewBox="0 0 320 74" preserveAspectRatio="none" role="img">{"".join(drawn)}</svg>'


def _badge_html(verdict: str) -> str:
    return f"<span class='badge {_BADGES.get(verdict, '')}'>{escape(verdict.replace('_', ' '))}</span>"


def _format_metric(value: float | None, low_high: list[float | None] | None = None) -> str:
    if value is None:
        return "not known"
    if low_high is None or low_high[0] is None or low_high[1] is None:
        return f"{value:.4g}"
    return f"{value:.4g} ({low_high[0]:.4g} to {low_high[1]:.4g})"
