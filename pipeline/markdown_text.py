"""Put names, words and titles of users into Markdown: as text, as code, or as cells of a table.

No character of such a text acts: no image, link, HTML, mention, reference, heading, table cell or change of direction.
What renderers link without markup becomes code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.text import visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["code_span", "escape_markdown", "markdown_table"]

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ACTING = re.compile(r"[&<>\\`\[\]|]")
_PART = re.compile(r"[&<>\\`\[\]|]|[^\s&<>\\`\[\]|]+")
# URLs, hosts, addresses, mentions, issues (#1, GH-1; !1 of GitLab), commits, and names of emoji.
_LINKED = re.compile(
    r"://|www\.|(?:mailto|xmpp):|@[\w-]|[#!]\d|\bgh-\d"
    r"|(?<!\w)(?=\d*[a-f])[\da-f]{7,64}(?!\w)|(?<![\w.,])\d{7,64}(?!\w|[.,]\d)"
    r"|:[a-z+-][\w+-]*:",
    re.IGNORECASE,
)
_PUNCTUATION = re.compile(r"([({\"']*)(.*?)([.,;:!?)}\"']*)")
# A heading, a list, a line, a fence: whether the text is at the start of a line or not.
_BLOCK = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-+*](?:\s|$)|#{1,6}(?:\s|$)|=|~~~|[-_*](?:\s*[-_*]){2,}$))")


def escape_markdown(text: object) -> str:
    r"""Return a text on one line in which nothing acts as markup but emphasis.

    Examples
    --------
    >>> escape_markdown("![p](https://example.org/p.png) <b>|")
    '!\\[p\\](`https://example.org/p.png`) &lt;b&gt;\\|'
    >>> escape_markdown("# as in #12, says @eve.")
    '\\# as in `#12`, says `@eve`.'
    """
    return _BLOCK.sub(r"\1\\", _PART.sub(_escape_part, visible_line(text)))


def code_span(text: object) -> str:
    """Return a name in backticks; as escaped text if a character of it could end them.

    Examples
    --------
    >>> code_span("log_loss"), code_span("<b>")
    ('`log_loss`', '&lt;b&gt;')
    """
    line = visible_line(text)
    return f"`{line}`" if line and not _ACTING.search(line) else escape_markdown(line)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Return the lines of a table; its cells are Markdown."""
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _escape_part(match: re.Match[str]) -> str:
    """Escape one acting character, or a word without such a character."""
    part = match[0]
    if _ACTING.match(part):
        return _ENTITIES.get(part, f"\\{part}")
    if not _LINKED.search(part):
        return part
    before, word, after = _PUNCTUATION.fullmatch(part).groups()  # type: ignore[union-attr]  # it matches any text
    return f"{before}`{word}`{after}" if word else part
