"""Format values for pages: escaped names, rounded numbers, ages and time zones."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.text import visible_line, visible_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

__all__ = [
    "escape_markdown",
    "format_interval",
    "format_number",
    "humanize",
    "inert_markdown",
    "message_markdown",
    "setting_text",
    "shorten",
    "table_cell_text",
    "time_zone",
]

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=@])")
# Where a link, an image, a reference, a tag, an entity or an address of its own begins.
_ACTIVE_MARKDOWN = re.compile(r"(?<=\])(?=[(\[:])|(?<=<)|(?<=&)|(?<=@)|(?<=ht)(?=tp)|(?<=w)(?=ww)", re.IGNORECASE)
# Where an escaped address would become a link by itself: the syntax of addresses has no escape.
_ADDRESS = re.compile(r"(?<=ht)(?=tps?\\:)|(?<=w)(?=ww\\\.)|(?<=@)", re.IGNORECASE)
_MAX_NAME_LENGTH = 120


def escape_markdown(text: object) -> str:
    """Return text on one line in which no character acts as Markdown, and no address becomes a link."""
    return _escape(shorten(text, _MAX_NAME_LENGTH))


def _escape(line: str) -> str:
    return _ADDRESS.sub("\u2060", _MARKUP.sub(r"\\\1", line))


def shorten(text: object, max_length: int = 60) -> str:
    """Return text on one line, cut to a length, without invisible characters."""
    line = visible_line(text)
    return line if len(line) <= max_length else f"{line[: max_length - 1]}…"


def message_markdown(text: object) -> str:
    """Return a message of ours as Markdown: text in backticks becomes code, everything else is escaped."""
    parts = visible_line(text).split("`")
    is_paired = len(parts) % 2 == 1
    code = {at: f"`{part}`" for at, part in enumerate(parts) if at % 2 and is_paired and part.strip()}
    return "".join(code.get(at, _escape(part)) for at, part in enumerate(parts))


def inert_markdown(text: str) -> str:
    """Return Markdown of others without images, links and HTML; an invisible character breaks their syntax.

    Examples
    --------
    >>> inert_markdown("![a](http://b)").replace("\u2060", "|")
    '![a]|(ht|tp://b)'
    """
    return _ACTIVE_MARKDOWN.sub("\u2060", visible_text(text))


def table_cell_text(value: Any) -> str:
    """Return a value of a row as one line of text; `missing` for None."""
    return "missing" if value is None else setting_text(value)


def humanize(name: str) -> str:
    """Return a key such as `log_loss` as words."""
    return name.replace("_", " ").replace(".", ": ")


def format_interval(estimate: Mapping[str, Any]) -> str:
    """Return `0.1124 to 0.1481`, or why a metric has no interval.

    Examples
    --------
    >>> format_interval({"low": 0.1, "high": 0.25, "reason": None})
    '0.1000 to 0.2500'
    >>> format_interval({"low": None, "high": None, "reason": "the rows do not vary"})
    'none: the rows do not vary'
    """
    if estimate["low"] is None or estimate["high"] is None:
        return f"none: {estimate.get('reason') or 'not evaluated'}"
    return f"{format_number(estimate['low'])} to {format_number(estimate['high'])}"


def format_number(value: float | None, digits: int = 4) -> str:
    """Return a metric or statistic with suitable digits; a dash for None and NaN.

    Examples
    --------
    >>> format_number(0.123456), format_number(None), format_number(18524)
    ('0.1235', '-', '18,524')
    """
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return "-"
    if float(value).is_integer() and abs(value) >= 10:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.{digits}g}"


def setting_text(value: Any) -> str:
    """Return a setting as one line of text."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else shorten(value, 200)


def time_zone(name: str | None) -> tzinfo:
    """Return the time zone that a browser names; UTC if it names no known zone."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
