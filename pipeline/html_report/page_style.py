"""Colors and style sheet of HTML reports, for light and dark screens and for phones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DARK_COLORS", "LIGHT_COLORS", "style_sheet"]

# `paper` is the ground of cards, `wash` that of the page; the last four are colors of levels.
LIGHT_COLORS = {
    "paper": "#ffffff",
    "wash": "#f5f6f8",
    "ink": "#1c2430",
    "soft": "#586174",
    "line": "#d9dee6",
    "reference": "#868fa1",
    "current": "#0072b2",
    "good": "#1a7449",
    "warn": "#8f5b00",
    "bad": "#b3261e",
    "neutral": "#586174",
}
DARK_COLORS = {
    "paper": "#1a1f29",
    "wash": "#11151c",
    "ink": "#e6e9ef",
    "soft": "#a3adbd",
    "line": "#323b4b",
    "reference": "#7f899b",
    "current": "#56b4e9",
    "good": "#5cc796",
    "warn": "#e5b34b",
    "bad": "#f58a82",
    "neutral": "#a3adbd",
}

_RULES = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 16px 20px 48px; }
h1 { font-size: 24px; line-height: 1.3; margin: 8px 0 4px; } h2 { font-size: 18px; margin: 28px 0 8px; }
h3 { font-size: 15px; margin: 0; } p { margin: 4px 0; } a { color: var(--current); }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--current); outline-offset: 2px; }
h1, h3, p, td, th, dd, li { overflow-wrap: break-word; } h3, .any { overflow-wrap: anywhere; }
.soft { color: var(--soft); } ul { margin: 4px 0; padding-left: 20px; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
dl.facts { display: flex; flex-wrap: wrap; gap: 2px 24px; margin: 8px 0; }
dl.facts div { display: flex; flex-wrap: wrap; gap: 0 6px; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px;
  min-width: 0; }
.card + .card { margin-top: 8px; } .grid .card + .card, .tiles .card + .card { margin-top: 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); gap: 12px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin: 12px 0; }
.tiles b { display: block; font-size: 22px; line-height: 1.3; } .tiles small { font-size: 13px; color: var(--soft); }
.note { border-left: 4px solid var(--neutral); margin: 8px 0; }
.note.good { border-color: var(--good); } .note.warn { border-color: var(--warn); }
.note.bad { border-color: var(--bad); }
.badge { display: inline-block; padding: 1px 9px; border-radius: 99px; color: var(--paper); font-size: 12px;
  font-weight: 600; white-space: nowrap; vertical-align: middle; background: var(--neutral); }
.badge.good { background: var(--good); } .badge.warn { background: var(--warn); } .badge.bad { background: var(--bad); }
table { border-collapse: collapse; width: 100%; }
td, th { padding: 5px 16px 5px 0; text-align: left; vertical-align: top; font-weight: 400; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; } tbody tr { border-top: 1px solid var(--line); }
td:last-child, th:last-child { padding-right: 0; } .card table td { font-variant-numeric: tabular-nums; }
details > .grid, details > table { margin-top: 8px; } table.pairs tr { border: 0; }
table.pairs td, table.pairs th { padding: 0 16px 0 0; }
table.pairs th { color: var(--soft); } summary { cursor: pointer; color: var(--soft); }
svg { display: block; width: 100%; height: auto; margin: 8px 0 2px; } text { fill: var(--soft); font-size: 11px; }
rect.reference, circle.reference { fill: var(--reference); } rect.current, circle.current { fill: var(--current); }
rect.special { opacity: .75; } .frame { stroke: var(--line); fill: none; } path { fill: none; stroke-width: 2; }
path.reference, line.reference { stroke: var(--reference); } path.current, line.current { stroke: var(--current); }
.limit { stroke: var(--bad); stroke-dasharray: 4 3; }
.legend { font-size: 13px; color: var(--soft); } .legend i { display: inline-block; width: 11px; height: 11px;
  margin: 0 5px 0 12px; } .legend i:first-child { margin-left: 0; }
i.reference { background: var(--reference); } i.current { background: var(--current); }
td code { white-space: nowrap; }
@media (max-width: 640px) {
  td code { white-space: normal; }
  main { padding: 12px 12px 40px; } table.wide thead { display: none; }
  table.wide, table.wide tbody, table.wide tr, table.wide td, table.wide tbody th { display: block; }
  table.wide td, table.wide tbody th { padding: 1px 0; overflow-wrap: anywhere; }
  table.wide tbody th { font-weight: 600; } table.wide tbody tr { padding: 8px 0; }
  table.wide td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
  table.wide td:empty { display: none; } td, th { padding-right: 10px; }
}
@media print { body { background: none; } .card { break-inside: avoid; } }
"""


def style_sheet() -> str:
    """Return the style sheet; it names no file and no host."""
    dark = f"@media (prefers-color-scheme: dark) {{ {_color_rule(DARK_COLORS)} }}"
    return f"\n:root {{ color-scheme: light dark; }}\n{_color_rule(LIGHT_COLORS)}\n{dark}{_RULES}"


def _color_rule(colors: Mapping[str, str]) -> str:
    return f":root {{ {' '.join(f'--{name}: {color};' for name, color in colors.items())} }}"
