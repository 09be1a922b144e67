"""Put names, words and titles of users into Markdown: as text, as code, or as cells of a table.

No character of such a text acts: no image, link, HTML, mention, table cell or change of direction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["code_span", "escape_markdown", "markdown_table"]

_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ACTING = re.compile(r"([\\`\[\]|])")
_ACTING_IN_CODE = re.compile(r"[&<>\\`\[\]|]")
# What renderers link without any markup: URLs, hosts, addresses and mentions. An invisible character breaks them.
_LINKED = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=mailto)(?=:)|(?<=@)", re.IGNORECASE)


def escape_markdown(text: object) -> str:
    r"""Return a text on one line in which nothing acts as markup but emphasis.

    Examples
    --------
    >>> escape_markdown("![p](https://example.org/p.png) <b>|")
    '!\\[p\\](https:\u200b//example.org/p.png) &lt;b&gt;\\|'
    """
    escaped = _ACTING.sub(r"\\\1", "".join(_ENTITIES.get(character, character) for character in _one_line(text)))
    return _LINKED.sub("\u200b", escaped)


def code_span(text: object) -> str:
    """Return a name in backticks; as escaped text if a character of it could end them.

    Examples
    --------
    >>> code_span("log_loss"), code_span("<b>")
    ('`log_loss`', '&lt;b&gt;')
    """
    line = _one_line(text)
    return f"`{line}`" if line and not _ACTING_IN_CODE.search(line) else escape_markdown(line)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Return the lines of a table; its cells are Markdown."""
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _one_line(text: object) -> str:
    return " ".join(_INVISIBLE.sub(" ", str(text)).split())
