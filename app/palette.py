"""The colors of charts by role, for a light and a dark page.

They follow those of Okabe and Ito, which people of any color vision can distinguish. Each has a contrast of at least
3 to 1 against its background (WCAG 2.1, criterion 1.4.11), so amber and orange are darker on a light page than theirs.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AMBER",
    "BACKGROUNDS",
    "BLUE",
    "DARK_COLORS",
    "GRAY",
    "GREEN",
    "INK",
    "ORANGE",
    "PALE",
    "PAPER",
    "PINK",
    "RED",
    "SERIES",
    "SKY",
    "badge_rules",
    "recolor",
    "style_variables",
]

BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#00855F", "#757C85"
AMBER, RED, PINK, SKY = "#A87000", "#B3261E", "#B8578F", "#3A8FC4"
# The paper behind a chart, its ink, and the color of the least value of a scale.
PAPER, INK, PALE = "#FFFFFF", "#1F2328", "#E3EBF2"
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, AMBER, GRAY)

DARK_COLORS = {
    BLUE: "#56B4E9",
    ORANGE: "#FF8A3D",
    GREEN: "#3DC9A0",
    GRAY: "#9AA3AE",
    AMBER: "#F0B429",
    RED: "#FF6B61",
    PINK: "#E59CC8",
    SKY: "#9FD3F5",
    PAPER: "#0E1117",
    INK: "#FAFAFA",
    PALE: "#233140",
}
# Ink and paper of a badge in a table on a dark page; `style.css` has those of a light one.
_DARK_BADGES = {
    "red": ("#FF9C94", "#412023"),
    "orange": ("#FFB077", "#41290F"),
    "green": ("#6FDDB5", "#0E2F24"),
    "blue": ("#8CCBF3", "#12304A"),
    "gray": ("#C2C9D1", "#2A2F37"),
}
BACKGROUNDS = {"light": PAPER, "dark": DARK_COLORS[PAPER]}


def style_variables(*, is_dark: bool) -> str:
    """Return the variables of the style sheet: the color of the focus, of marked rows, and ink on the primary color."""
    focus, ink = (DARK_COLORS[BLUE], DARK_COLORS[PAPER]) if is_dark else (BLUE, PAPER)
    return f"--mlops-focus: {focus}; --mlops-on-primary: {ink};"


def badge_rules(*, is_dark: bool) -> str:
    """Return the rules that replace the colors of badges in tables; none for a light page."""
    badges = _DARK_BADGES if is_dark else {}
    return "".join(
        f".mlops-table .badge.{name} {{ color: {ink}; background: {paper}; }}\n"
        for name, (ink, paper) in badges.items()
    )


def recolor(spec: Any, *, is_dark: bool) -> Any:
    """Return a chart's plain values with the colors of the page; a light page has those of the constants.

    Examples
    --------
    >>> recolor({"mark": {"color": "#0072B2"}}, is_dark=True)
    {'mark': {'color': '#56B4E9'}}
    """
    return _replace_colors(spec) if is_dark else spec


def _replace_colors(value: Any) -> Any:
    if isinstance(value, dict):
        # The rows of a chart are data; their texts are no colors.
        return {key: item if key == "datasets" else _replace_colors(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_colors(item) for item in value]
    return DARK_COLORS.get(value, value) if isinstance(value, str) else value
