"""Parts of HTML reports: badges, cards, tiles and tables. Each part escapes the texts that it gets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Html",
    "Level",
    "badge",
    "breakable",
    "card",
    "card_grid",
    "details",
    "html_table",
    "legend",
    "link",
    "note",
    "paragraph",
    "text_with_code",
    "tiles",
]

Level = Literal["good", "warn", "bad", "neutral"]
_MAX_WORD = 18  # characters
_MAX_PHONE_LINE = 34  # characters
_BREAKS = re.compile(r"(?<=[A-Za-z][._/])(?=[A-Za-z])")


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that a part wrote; every other text is escaped."""

    markup: str


def breakable(text: str) -> str:
    """Return an escaped text whose long words may break after dots, underscores and slashes.

    Examples
    --------
    >>> breakable("model.estimator.max_iter"), breakable("a.b < c")
    ('model.<wbr>estimator.<wbr>max_<wbr>iter', 'a.b &lt; c')
    """
    words = [
        "<wbr>".join(escape(piece) for piece in _BREAKS.split(word)) if len(word) > _MAX_WORD else escape(word)
        for word in text.split(" ")
    ]
    return " ".join(words)


def text_with_code(text: str) -> Html:
    """Return an escaped text whose parts in backticks are code."""
    pieces = escape(text).split("`")
    return Html("".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces)))


def link(label: str, address: str) -> Html:
    """Return a link to a file beside the page."""
    return Html(f'<a href="{escape(address)}">{escape(label)}</a>')


def badge(label: str, level: Level) -> Html:
    """Return a label in the color of its level."""
    return Html(f'<span class="badge {level}">{escape(label.replace("_", " "))}</span>')


def legend(sides: Iterable[tuple[str, str]]) -> str:
    """Return the names of the colors of a chart, as (side, name)."""
    return f"<p class=legend>{''.join(f'<i class={side}></i>{escape(name)}' for side, name in sides)}</p>"


def paragraph(text: str | Html, *, is_soft: bool = False) -> str:
    """Return a paragraph; a soft one explains."""
    return f"<p{' class=soft' if is_soft else ''}>{_markup(text)}</p>"


def note(text: str | Html, level: Level) -> str:
    """Return a note with an edge in the color of its level."""
    return f'<div class="card note {level}">{_markup(text)}</div>'


def card(*parts: str) -> str:
    """Return parts in one card."""
    return f"<div class=card>{''.join(parts)}</div>"


def details(summary: str, *parts: str) -> str:
    """Return parts that open on demand, or nothing without parts."""
    body = "".join(parts)
    return f"<details><summary>{escape(summary)}</summary>{body}</details>" if body else ""


def card_grid(cards: Iterable[str]) -> str:
    """Return cards beside each other, as many as there is room for; nothing without cards."""
    body = "".join(cards)
    return f"<div class=grid>{body}</div>" if body else ""


def tiles(values: Iterable[tuple[str, str, str]]) -> str:
    """Return a card for each (label, value, remark); an empty remark takes no line."""
    small = "<br><small>{}</small>"
    cards = [
        f"<div class=card><b>{escape(value)}</b>{escape(label)}{small.format(escape(remark)) if remark else ''}</div>"
        for label, value, remark in values
    ]
    return f"<div class=tiles>{''.join(cards)}</div>"


def html_table(head: Sequence[str], rows: Sequence[Sequence[str | Html]]) -> str:
    """Return a table whose first column names its rows; a phone shows each row of a wide table as a list.

    An empty head makes a table of names and values.
    """
    columns = "".join(f"<th scope=col>{escape(name)}</th>" for name in head)
    labels = head or [""] * max((len(row) for row in rows), default=0)
    lines = "".join(f"<tr>{_row_cells(row, labels)}</tr>" for row in rows)
    thead = f"<thead><tr>{columns}</tr></thead>" if head else ""
    kind = "pairs" if not head else "wide" if _longest_line([head, *rows]) > _MAX_PHONE_LINE else "narrow"
    return f"<table class={kind}>{thead}<tbody>{lines}</tbody></table>"


def _longest_line(rows: Sequence[Sequence[str | Html]]) -> int:
    """Return the characters of a line that holds the longest text of each column."""
    plain = [[re.sub("<[^>]*>", "", text.markup) if isinstance(text, Html) else text for text in row] for row in rows]
    return sum(max(map(len, column)) for column in zip(*plain, strict=True))


def _row_cells(row: Sequence[str | Html], labels: Sequence[str]) -> str:
    first, *others = row
    names = (f' data-label="{escape(label)}"' if label else "" for label in labels[1:])
    cells = [f"<td{name}>{_markup(text)}</td>" for name, text in zip(names, others, strict=True)]
    return f"<th scope=row>{_markup(first)}</th>{''.join(cells)}"


def _markup(text: str | Html) -> str:
    return text.markup if isinstance(text, Html) else breakable(text)
