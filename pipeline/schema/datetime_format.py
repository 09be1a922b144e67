"""Compile forms of dates and moments into regular expressions, which single texts and Arrow columns share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EPOCH_UNITS_US",
    "FIRST_MOMENT_US",
    "LAST_MOMENT_US",
    "MONTH_NAMES",
    "DatetimeForm",
    "datetime_form",
    "epoch_to_us",
    "local_to_utc",
    "offset_minutes",
    "two_digit_year",
]

# Microseconds in the unit of a number that counts the time since 1970-01-01 in UTC.
EPOCH_UNITS_US = {"epoch_s": 1e6, "epoch_ms": 1e3, "epoch_us": 1.0, "epoch_ns": 1e-3, "epoch_days": 86_400e6}
# Moments of the years 1 to 9999 only.
FIRST_MOMENT_US, LAST_MOMENT_US = -62_135_596_800_000_000, 253_402_300_799_999_999
MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = "mon|tue|wed|thu|fri|sat|sun"
_OFFSET = r"Z|UTC|GMT|[-+](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?"
_DIRECTIVES = {
    "Y": r"(?P<year>[0-9]{4})",
    "y": r"(?P<short_year>[0-9]{2})",
    "m": r"(?P<month>1[0-2]|0?[1-9])",
    "d": r"(?P<day>3[01]|[12][0-9]|0?[1-9])",
    "H": r"(?P<hour>2[0-3]|[01]?[0-9])",
    "I": r"(?P<hour>1[0-2]|0?[1-9])",
    "M": r"(?P<minute>[0-5][0-9])",
    "S": r"(?P<second>[0-5][0-9])",
    "f": r"(?P<fraction>[0-9]{1,6})0{0,3}",
    "p": r"(?P<half>[AaPp])\.?[Mm]\.?",
    "b": r"(?P<month_name>(?i:" + "|".join(name[:3] for name in MONTH_NAMES) + "))",
    "B": r"(?P<month_name>(?i:" + "|".join(MONTH_NAMES) + "))",
    "a": rf"(?i:{_WEEKDAYS})",
    "A": rf"(?i:(?:{_WEEKDAYS})[a-z]*day)",
    "z": rf"(?P<offset>{_OFFSET})",
    "%": "%",
}
# Digits that stand next to other digits have a fixed number.
_FIXED_WIDTH = {
    "m": r"(?P<month>1[0-2]|0[1-9])",
    "d": r"(?P<day>3[01]|[12][0-9]|0[1-9])",
    "H": r"(?P<hour>2[0-3]|[01][0-9])",
    "I": r"(?P<hour>1[0-2]|0[1-9])",
}
_ISO = (
    r"(?P<year>[0-9]{4})-(?P<month>1[0-2]|0[1-9])-(?P<day>3[01]|[12][0-9]|0[1-9])"
    r"(?:[T ](?P<hour>2[0-3]|[01][0-9]):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]{1,6})0{0,3})?)?"
)


@dataclass(frozen=True, slots=True)
class DatetimeForm:
    """A form of texts: `pattern` matches a whole text, and its groups are the parts of the moment.

    Texts without an offset are moments of `zone` (UTC where it is None). `example` is a text of this form.
    """

    pattern: str
    zone: str | None
    example: str

    def parse(self, text: str) -> datetime:
        """Return the moment of a text in UTC, without a zone.

        Raises
        ------
        ValueError
            When the text has another form, or there is no such day, or no such time of day in `zone`.
        """
        match = _compile(self.pattern).fullmatch(text)
        if match is None:
            raise ValueError(f"expected a text such as {self.example!r}")
        parts = {name: value for name, value in match.groupdict().items() if value}
        moment = _local_moment(parts)
        if "offset" in parts:
            return _checked_moment(moment, timedelta(minutes=offset_minutes(parts["offset"])))
        return moment if self.zone is None else local_to_utc(moment, self.zone)


@lru_cache(maxsize=256)
def datetime_form(form: str | None, zone: str | None) -> DatetimeForm:
    """Return the compiled form of a strptime format; None is ISO 8601, with offsets where `zone` is not None.

    Raises
    ------
    ValueError
        When a directive is unknown or occurs twice, or a date cannot be made of the parts.
    """
    if form is None:
        end = r")?" if zone is None else rf"(?: ?(?P<offset>{_OFFSET}))?)?"
        example = "2026-01-31T18:30:00" if zone is None else "2026-01-31T18:30:00+01:00"
        return DatetimeForm(_ISO + end, zone, example)
    parts = re.findall(r"%.|[^%]+|%$", form)
    pattern = "".join(_part_pattern(parts, at) for at in range(len(parts)))
    try:
        names = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise ValueError(f"a part occurs twice in {form!r}") from error
    _check_parts(form, names)
    return DatetimeForm(pattern, zone, _example(form))


def _part_pattern(parts: list[str], at: int) -> str:
    part = parts[at]
    if not part.startswith("%"):
        return re.sub(r"(\\? )+", " +", re.escape(part))
    name = part[1:]
    if name not in _DIRECTIVES:
        known = " ".join(f"%{letter}" for letter in _DIRECTIVES)
        raise ValueError(f"{part!r} is not known; known are {known}")
    neighbors = (parts[at - 1] if at else "", parts[at + 1] if at + 1 < len(parts) else "")
    is_adjacent = any(neighbor.startswith("%") and neighbor[1:] in "YymdHIMSf" for neighbor in neighbors if neighbor)
    return _FIXED_WIDTH.get(name, _DIRECTIVES[name]) if is_adjacent else _DIRECTIVES[name]


def _check_parts(form: str, names: set[str]) -> None:
    has_year = ("year" in names) is not ("short_year" in names)
    has_month = ("month" in names) is not ("month_name" in names)
    if not has_year:
        raise ValueError(f"{form!r} needs one year: %Y or %y")
    if not has_month and ({"month", "month_name", "day", "hour"} & names):
        raise ValueError(f"{form!r} needs one month: %m, %b or %B")
    if ("%I" in form) is not ("%p" in form):
        raise ValueError(f"{form!r} needs %I and %p together")


def _example(form: str) -> str:
    text = form
    values = {
        "Y": "2026", "y": "26", "m": "01", "d": "31", "H": "18", "I": "06", "M": "30", "S": "00", "f": "000",
        "p": "PM", "b": "Jan", "B": "January", "a": "Sat", "A": "Saturday", "z": "+01:00",
    }  # fmt: skip
    for letter, value in values.items():
        text = text.replace(f"%{letter}", value)
    return text.replace("%%", "%")


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _local_moment(parts: Mapping[str, str]) -> datetime:
    year = int(parts["year"]) if "year" in parts else two_digit_year(int(parts["short_year"]))
    month = int(parts.get("month", "1"))
    if "month_name" in parts:
        start = parts["month_name"][:3].lower()
        month = next(number for number, name in enumerate(MONTH_NAMES, 1) if name.startswith(start))
    hour = int(parts.get("hour", "0"))
    if "half" in parts:
        hour = hour % 12 + (12 if parts["half"] in "Pp" else 0)
    return datetime(  # noqa: DTZ001 - the caller knows the zone
        year,
        month,
        int(parts.get("day", "1")),
        hour,
        int(parts.get("minute", "0")),
        int(parts.get("second", "0")),
        int(parts.get("fraction", "0").ljust(6, "0")),
    )


def two_digit_year(number: int) -> int:
    """Return the year from 1969 to 2068 that ends with two digits, as POSIX does."""
    return number + (1900 if number >= 69 else 2000)


def offset_minutes(text: str) -> int:
    """Return the minutes of an offset such as `+02:00`; `Z` is 0."""
    if text[0] not in "+-":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if text[0] == "-" else minutes


def _checked_moment(moment: datetime, offset: timedelta) -> datetime:
    try:
        return moment - offset
    except OverflowError as error:
        raise ValueError("a moment outside the years 1 to 9999") from error


def local_to_utc(moment: datetime, zone: str) -> datetime:
    """Return a time of day of `zone` in UTC; of two equal times in autumn, the first.

    Raises
    ------
    ValueError
        When clocks of `zone` never showed this time: they were set forward.
    """
    zone_info = ZoneInfo(zone)
    try:
        utc = moment.replace(tzinfo=zone_info).astimezone(UTC)
        is_shown = utc.astimezone(zone_info).replace(tzinfo=None) == moment
    except OverflowError as error:
        raise ValueError("a moment outside the years 1 to 9999") from error
    if not is_shown:
        raise ValueError(f"clocks in {zone} never showed this time")
    return utc.replace(tzinfo=None)


def epoch_to_us(number: float, unit: str) -> int:
    """Return a count of `unit` since 1970 in microseconds, rounded to the nearest one.

    Raises
    ------
    ValueError
        When the moment is outside the years 1 to 9999.
    """
    microseconds = number * EPOCH_UNITS_US[unit]
    if not FIRST_MOMENT_US <= microseconds <= LAST_MOMENT_US:
        raise ValueError("a moment outside the years 1 to 9999")
    return round(microseconds)
