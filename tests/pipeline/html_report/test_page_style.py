"""Texts and marks of HTML reports can be read on light and dark screens."""

from __future__ import annotations

import re

import pytest

from pipeline.html_report.page_style import DARK_COLORS, LIGHT_COLORS, style_sheet

PALETTES = pytest.mark.parametrize("colors", [LIGHT_COLORS, DARK_COLORS], ids=["light", "dark"])


def luminance(color: str) -> float:
    """Return the relative luminance of WCAG 2.1."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@PALETTES
@pytest.mark.parametrize("name", ["ink", "soft", "current", "good", "warn", "bad", "neutral"])
@pytest.mark.parametrize("ground", ["paper", "wash"])
def test_a_text_has_the_contrast_of_wcag_aa(colors: dict[str, str], name: str, ground: str) -> None:
    assert contrast(colors[name], colors[ground]) >= 4.5


@PALETTES
def test_a_mark_has_the_contrast_of_wcag_aa(colors: dict[str, str]) -> None:
    assert contrast(colors["reference"], colors["paper"]) >= 3


def test_the_style_sheet_defines_each_color_it_uses() -> None:
    rules = style_sheet()
    assert set(re.findall(r"var\(--(\w+)\)", rules)) <= set(LIGHT_COLORS)
    assert set(LIGHT_COLORS) == set(DARK_COLORS)
    assert rules.count("{") == rules.count("}")
