"""Say values to people: names that no markup can break, numbers with sensible digits, moments in the reader's zone."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from datetime import tzinfo

__all__ = [
    "escape_markdown",
    "format_age",
    "format_number",
    "humanize",
    "message_markdown",
    "setting_text",
    "shorten",
    "table_cell_text",
    "time_zone",
]

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=@])")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+")
_MAX_NAME_LENGTH = 120
_AGE_UNITS = ((60, "minute"), (3600, "hour"), (86_400, "day"))


def escape_markdown(text: object) -> str:
    """Return text that Markdown shows as it is, on one line: somebody's names never become markup."""
    return _MARKUP.sub(r"\\\1", shorten(text, _MAX_NAME_LENGTH))


def shorten(text: object, max_length: int = 60) -> str:
    """Return text on one line, cut to a length, without signs that turn the direction of what follows."""
    line = _CONTROL_CHARACTERS.sub(" ", str(text)).strip()
    return line if len(line) <= max_length else f"{line[: max_length - 1]}…"


def message_markdown(text: object) -> str:
    """Return our own message as Markdown: what stands between backticks is code, everything else is shown as it is."""
    parts = _CONTROL_CHARACTERS.sub(" ", str(text)).split("`")
    is_paired = len(parts) % 2 == 1
    code = {at: f"`{part}`" for at, part in enumerate(parts) if at % 2 and is_paired and part.strip()}
    return "".join(code.get(at, _MARKUP.sub(r"\\\1", part)) for at, part in enumerate(parts))


def table_cell_text(value: Any) -> str:
    """Return a cell of a row as one line of text; `missing` where there is none."""
    return "missing" if value is None else setting_text(value)


def humanize(name: str) -> str:
    """Return a key such as `log_loss` as words."""
    return name.replace("_", " ").replace(".", ": ")


def format_number(value: float | None, digits: int = 4) -> str:
    """Return a figure for people; a dash where there is none.

    Examples
    --------
    >>> number(0.123456), number(None), number(18524)
    ('0.1235', '-', '18,524')
    """
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return "-"
    if float(value).is_integer() and abs(value) >= 10:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.{digits}g}"


def setting_text(value: Any) -> str:
    """Return a setting or a cell as one line of text."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else shorten(value, 200)


def time_zone(name: str | None) -> tzinfo:
    """Return the zone that a browser names; UTC when it names none that is known."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def format_age(at_us: int, now_us: int) -> str:
    """Return how long ago a moment was, in the largest unit that fits.

    Examples
    --------
    >>> ago(0, 3 * 3600 * 1_000_000), ago(0, 5_000_000)
    ('3 hours ago', 'just now')
    """
    seconds = max(0, now_us - at_us) // 1_000_000
    fitting = [(seconds // size, unit) for size, unit in _AGE_UNITS if seconds >= size]
    if not fitting:
        return "just now"
    n, unit = fitting[-1]
    return f"{n} {unit}{'' if n == 1 else 's'} ago"
