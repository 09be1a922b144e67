"""Read one number with the decimal sign and the groups of three digits that the source declares."""

from __future__ import annotations

import re

__all__ = ["GROUP_SIGNS", "SWAPPED_SIGNS", "plain_number"]

# The class of characters that a declared sign between groups matches.
GROUP_SIGNS = {",": ",", ".": r"\.", " ": " \u00a0\u202f", "'": "'\u2019", "_": "_"}
SWAPPED_SIGNS = str.maketrans(",.", ".,")


def plain_number(text: str, *, decimal: str, thousands: str | None) -> str:
    """Return a number with a decimal point and without signs between groups, as `rewrite_numbers` does for a column."""
    if decimal == ",":
        text = text.translate(SWAPPED_SIGNS)
        thousands = {".": ","}.get(thousands or "", thousands)
    if thousands is None:
        return text
    sign = GROUP_SIGNS[thousands]
    number = rf"[1-9][0-9]{{0,2}}(?:[{sign}][0-9]{{3}})+(?:\.[0-9]+)?"
    if re.fullmatch(rf"[^0-9.{sign}]*{number}[^0-9.{sign}]*", text) is None:
        return text
    return re.sub(f"[{sign}]", "", text)
