"""Format counts, numbers, shares, moments, long texts and texts of others for people.

Every text that the project prints rounds here: numbers to four decimals, shares to one decimal of a percent,
moments to the second.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import tzinfo

__all__ = [
    "SPREADSHEET_FORMULA",
    "day_and_minute",
    "escape_formula",
    "format_age",
    "format_duration",
    "iso_timestamp",
    "matches_stars",
    "number",
    "percent",
    "pluralize",
    "short_timestamp",
    "shorten",
    "timestamp",
    "visible_line",
    "visible_text",
]

# What spreadsheets calculate, and its replacement; they skip white space and control characters before it. Both are
# valid for `re` and for Arrow.
SPREADSHEET_FORMULA = ("^([\\s\\x00-\\x1f]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\\t\\r\\n])", r"'\1")

_MAX_PERCENT_DECIMALS = 4
_DURATION_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
# Control characters, Unicode's Default_Ignorable_Code_Point (zero width, direction, soft hyphen, variation selectors,
# tags, fillers), line separators, annotations, the blank pattern of Braille, and halves of a character.
_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff]+"
)


def pluralize(n: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun; `plural` defaults to `singular` with an s.

    Examples
    --------
    >>> pluralize(1, "row"), pluralize(2000, "row"), pluralize(0, "entry", "entries")
    ('1 row', '2,000 rows', '0 entries')
    """
    return f"{n:,} {singular if n == 1 else plural if plural is not None else f'{singular}s'}"


def escape_formula(text: str) -> str:
    """Return a text that no spreadsheet calculates: an apostrophe goes before the start of a formula.

    Examples
    --------
    >>> escape_formula("=1+1"), escape_formula("1 = 1")
    ("'=1+1", '1 = 1')
    """
    return re.sub(*SPREADSHEET_FORMULA, text)


def shorten(text: object, max_length: int = 60) -> str:
    """Return a text unchanged, or cut to `max_length` characters, the last three of which are dots.

    Examples
    --------
    >>> shorten("logistic_regression", 12), shorten("svm", 12)
    ('logistic_...', 'svm')
    """
    line = str(text)
    return line if len(line) <= max_length else f"{line[: max_length - 3]}..."


def matches_stars(name: str, pattern: str) -> bool:
    """Return whether a name matches a pattern in which only `*` stands for other characters.

    Examples
    --------
    >>> matches_stars("rows[1].csv", "rows[*.csv"), matches_stars("a.csv", "?.csv")
    (True, False)
    """
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None


def visible_line(text: object) -> str:
    r"""Return a text on one line without invisible characters; one blank stands for several.

    Examples
    --------
    >>> visible_line("gnp\u202eexe \n a\u00adb")
    'gnp exe a b'
    """
    return " ".join(_INVISIBLE.sub(" ", str(text)).split())


def visible_text(text: str) -> str:
    """Return a text without invisible characters, but with its lines and indentation."""
    return _INVISIBLE.sub(lambda match: "".join(c for c in match[0] if c in "\n\t") or " ", text)


def number(value: object, *, missing: str = "not defined", signed: bool = False) -> str:
    """Return a number with four decimals, or `missing` for None, NaN and values that are no number.

    Examples
    --------
    >>> number(0.96284), number(None), number(0.01, signed=True), number(None, missing="-")
    ('0.9628', 'not defined', '+0.0100', '-')
    """
    if not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return missing
    return f"{value:+.4f}" if signed else f"{value:.4f}"


def percent(share: float | None, *, missing: str = "not defined") -> str:
    """Return a share of 0 to 1 as a percentage with one decimal, or none where the decimal is zero.

    A share near 0 or 1 takes up to four decimals, so that only 0 reads `0%` and only 1 reads `100%`.

    Examples
    --------
    >>> percent(0.123456), percent(0.95), percent(0.0003), percent(0.99996), percent(None)
    ('12.3%', '95%', '0.03%', '99.996%', 'not defined')
    """
    if share is None or share != share:  # noqa: PLR0124 - only NaN differs from itself
        return missing
    for decimals in range(1, _MAX_PERCENT_DECIMALS + 1):
        text = f"{100 * share:.{decimals}f}".removesuffix(".0")
        if float(text) not in (0.0, 100.0):
            return f"{text}%"
    if share in (0.0, 1.0):
        return f"{100 * share:.0f}%"
    return "under 0.0001%" if share < 0.5 else "over 99.9999%"


def day_and_minute(at_us: int, zone: tzinfo = UTC) -> str:
    """Return a moment (microseconds since 1970, UTC) as day and minute, for a page that names its time zone.

    Examples
    --------
    >>> day_and_minute(1_764_263_400_000_000)
    '27 Nov 17:10'
    """
    return datetime.fromtimestamp(at_us / 1_000_000, zone).strftime("%d %b %H:%M").lstrip("0")


def timestamp(at_us: int, zone: tzinfo = UTC, *, with_milliseconds: bool = False) -> str:
    """Return a moment (microseconds since 1970, UTC) as date, time and time zone.

    Examples
    --------
    >>> timestamp(1_767_225_600_000_000)
    '2026-01-01 00:00:00 UTC'
    >>> timestamp(1_767_225_600_012_345, with_milliseconds=True)
    '2026-01-01 00:00:00.012 UTC'
    """
    if with_milliseconds:
        moment = datetime.fromtimestamp(at_us // 1_000_000, zone)
        return f"{moment:%Y-%m-%d %H:%M:%S}.{at_us // 1000 % 1000:03d} {moment:%Z}"
    return datetime.fromtimestamp(at_us / 1_000_000, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def short_timestamp(at_us: int, zone: tzinfo = UTC, *, now: int, with_zone: bool = True) -> str:
    """Return a moment as day, month and time; with the year if it is not that of `now`.

    `with_zone` adds the name of the zone; a page that names its zone leaves it out.

    Examples
    --------
    >>> short_timestamp(1_767_225_600_000_000, now=1_767_300_000_000_000)
    '1 Jan 00:00 UTC'
    >>> short_timestamp(1_767_225_600_000_000, now=1_800_000_000_000_000)
    '1 Jan 2026 00:00 UTC'
    """
    moment, today = (datetime.fromtimestamp(us / 1_000_000, zone) for us in (at_us, now))
    year = "" if moment.year == today.year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year} {moment:%H:%M}{f' {moment:%Z}' if with_zone else ''}"


def iso_timestamp(at_us: int, timespec: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Return a moment (microseconds since 1970, UTC) for programs, as RFC 3339.

    Examples
    --------
    >>> iso_timestamp(1_767_225_600_250_000), iso_timestamp(1_767_225_600_250_000, "milliseconds")
    ('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.250Z')
    """
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def format_duration(duration_us: int) -> str:
    """Return a duration in the largest unit that fits, at least one second.

    Examples
    --------
    >>> format_duration(86_400_000_000), format_duration(5 * 60_000_000), format_duration(0)
    ('1 day', '5 minutes', '1 second')
    """
    seconds = max(1, duration_us // 1_000_000)
    size, unit = next((size, unit) for size, unit in _DURATION_UNITS if seconds >= size)
    return pluralize(seconds // size, unit)


def format_age(at_us: int, now_us: int) -> str:
    """Return the age of a timestamp in the largest unit that fits.

    Examples
    --------
    >>> format_age(0, 3 * 3600 * 1_000_000), format_age(0, 12_000_000), format_age(0, 500_000)
    ('3 hours ago', '12 seconds ago', 'just now')
    """
    return "just now" if now_us - at_us < 1_000_000 else f"{format_duration(now_us - at_us)} ago"
