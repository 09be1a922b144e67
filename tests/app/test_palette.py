"""Colors are seen on both pages: 3 to 1 for charts, 4.5 to 1 for texts (WCAG 2.1)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from app import palette

ROOT = Path(__file__).parents[2]
_LIGHT = {name: getattr(palette, name) for name in ("BLUE", "ORANGE", "GREEN", "GRAY", "AMBER", "RED", "PINK", "SKY")}
_THEMES = tomllib.loads((ROOT / "app/.streamlit/config.toml").read_text(encoding="utf-8"))["theme"]


def luminance(color: str) -> float:
    """Return the relative luminance of WCAG 2.1."""
    shares = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.1, from 1 to 21."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_is_that_of_the_standard() -> None:
    assert (contrast("#FFFFFF", "#000000"), round(contrast("#777777", "#FFFFFF"), 2)) == (21.0, 4.48)


@pytest.mark.parametrize("name", _LIGHT)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_color_of_charts_is_seen_on_its_page(name: str, theme: str) -> None:
    color = _LIGHT[name] if theme == "light" else palette.DARK_COLORS[_LIGHT[name]]
    assert contrast(color, palette.BACKGROUNDS[theme]) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_of_the_theme_can_be_read(theme: str) -> None:
    texts = {key: color for key, color in _THEMES[theme].items() if key.endswith("extColor") or key == "linkColor"}
    hard = {key: color for key, color in texts.items() if contrast(color, palette.BACKGROUNDS[theme]) < 4.5}
    assert (len(texts) > 5, hard) == (True, {})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_badges_of_tables_can_be_read(theme: str) -> None:
    is_dark = theme == "dark"
    style = palette.badge_rules(is_dark=True) if is_dark else (ROOT / "app/style.css").read_text(encoding="utf-8")
    badges = re.findall(r"\.badge\.(\w+) \{ color: (#\w+); background: (#\w+); \}", style)
    hard = [name for name, ink, paper in badges if contrast(ink, paper) < 4.5]
    assert (len(badges), hard) == (5, [])


def test_a_dark_page_replaces_colors_but_no_data() -> None:
    spec = {"mark": {"color": palette.BLUE}, "datasets": {"a": [{"name": palette.BLUE}]}, "range": [palette.PALE]}
    assert palette.recolor(spec, is_dark=True) == {
        "mark": {"color": "#56B4E9"},
        "datasets": {"a": [{"name": palette.BLUE}]},
        "range": ["#233140"],
    }
