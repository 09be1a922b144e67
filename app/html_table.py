"""Render short data as a standard HTML table: whole, wrapped, searchable, and readable by a screen reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from pipeline.text import visible_line

from . import formatting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Badge", "IntervalBar", "Link", "html_table"]

# Such as 12, +0.3, 1,200, 4.5 ms, 12% or a dash for none.
_NUMBER = re.compile(r"-|[+\-\u2212]?[\d,]*\.?\d+(e[+-]?\d+)?\s?(%|ms|s)?")


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that links to another page of the app."""

    label: str
    address: str

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, slots=True)
class Badge:
    """A cell in the color of its level: red, orange, green, blue or gray."""

    label: str
    color: str

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """A cell that draws an interval around its value against 0, which is in the middle.

    Attributes
    ----------
    low, value, high : float
        The farther end fills its half of the cell.
    label : str
        The numbers, beside the drawing.
    color : str
        Of its level, as for a badge.
    """

    low: float
    value: float
    high: float
    label: str
    color: str

    def __str__(self) -> str:
        return self.label


def html_table(rows: Sequence[Mapping[str, Any]], *, caption: str = "", marked: Iterable[int] = ()) -> str:
    """Return the HTML of a table with a header; numbers are aligned to the right.

    Parameters
    ----------
    rows : sequence of mappings of column title to cell
        All with the same columns. A cell is a `Link`, a `Badge`, an `IntervalBar`, or a value that is shown as text;
        None is empty.
    caption : str
        What the table shows, for screen readers.
    marked : iterable of int
        Positions of rows that are highlighted.

    Examples
    --------
    >>> "<td>a &lt; b</td>" in html_table([{"Name": "a < b"}])
    True
    """
    columns = list(rows[0]) if rows else []
    numeric = {name for name in columns if all(_is_number(row[name]) for row in rows)}
    head = "".join(f'<th scope="col"{_alignment(name, numeric)}>{_text_html(name)}</th>' for name in columns)
    highlighted = set(marked)
    body = "".join(
        ('<tr class="marked">' if position in highlighted else "<tr>")
        + "".join(f"<td{_alignment(name, numeric)}>{_cell_html(row[name])}</td>" for name in columns)
        + "</tr>"
        for position, row in enumerate(rows)
    )
    title = f"<caption>{_text_html(caption)}</caption>" if caption else ""
    return (
        f'<div class="mlops-table" tabindex="0" role="region" aria-label="{_text_html(caption or "Table")}">'
        f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _alignment(name: str, numeric: set[str]) -> str:
    return ' class="number"' if name in numeric else ""


def _cell_html(value: Any) -> str:
    if isinstance(value, Link):
        return f'<a href="{_text_html(value.address)}">{_text_html(value.label)}</a>'
    if isinstance(value, Badge):
        return f'<span class="badge {_text_html(value.color)}">{_text_html(value.label)}</span>'
    if isinstance(value, IntervalBar):
        return _interval_html(value)
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    return _text_html(formatting.format_number(value) if isinstance(value, float) else value)


def _interval_html(bar: IntervalBar) -> str:
    farthest = max(abs(bar.low), abs(bar.high)) or 1.0
    low, value, high = (round(50.0 + 46.0 * end / farthest, 1) for end in (bar.low, bar.value, bar.high))
    return (
        f'<span class="interval {_text_html(bar.color)}" aria-hidden="true">'
        f'<i style="left:{low}%;width:{round(high - low, 1)}%"></i><b style="left:{value}%"></b></span>'
        f'<span class="ends">{_text_html(bar.label)}</span>'
    )


def _text_html(value: Any) -> str:
    return escape(visible_line(value))
