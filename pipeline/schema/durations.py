"""Read durations: clock times such as `1 days 02:03:04`, and ISO 8601 such as `P1DT2H`."""

from __future__ import annotations

import re

__all__ = ["DURATION_FORMAT", "DURATION_PATTERNS", "DURATION_UNITS_US", "duration_seconds"]

# The declared format of durations.
DURATION_FORMAT = "duration"
_FRACTION = r"(?:\.(?P<fraction>[0-9]{1,6})0{0,3})?"
_CLOCK = rf"(?P<sign>[-+])?(?P<hours>[0-9]{{1,6}}):(?P<minutes>[0-5][0-9])(?::(?P<seconds>[0-5][0-9]){_FRACTION})?"
_ISO_DAYS = r"(?P<sign>[-+])?P(?:(?P<weeks>[0-9]{1,5})W)?(?:(?P<days>[0-9]{1,6})D)?"
_ISO_SECONDS = rf"(?:(?P<seconds>[0-9]{{1,9}}){_FRACTION}S)?"
_ISO = rf"{_ISO_DAYS}(?:T(?:(?P<hours>[0-9]{{1,6}})H)?(?:(?P<minutes>[0-9]{{1,7}})M)?{_ISO_SECONDS})?"
DURATION_PATTERNS = (_CLOCK, rf"(?P<day_sign>-)?(?P<days>[0-9]{{1,6}}) ?(?:days?|d)(?:,? {_CLOCK})?", _ISO)
DURATION_UNITS_US = {
    "weeks": 604_800_000_000,
    "days": 86_400_000_000,
    "hours": 3_600_000_000,
    "minutes": 60_000_000,
    "seconds": 1_000_000,
}
_COMPILED = tuple(re.compile(pattern) for pattern in DURATION_PATTERNS)


def duration_seconds(text: str) -> float:
    """Return the seconds of a duration.

    The sign of `-1 days +02:00:00` belongs to the days alone, as pandas writes it.

    Raises
    ------
    ValueError
        When the text is no duration.
    """
    match = next((match for pattern in _COMPILED if (match := pattern.fullmatch(text))), None)
    parts = {name: value for name, value in match.groupdict().items() if value} if match else {}
    if not set(parts) & set(DURATION_UNITS_US):
        raise ValueError("expected a duration such as 02:03:04, 1 days 02:03:04 or PT2H3M")
    total = sum(int(parts.get(unit, "0")) * n_us for unit, n_us in DURATION_UNITS_US.items() if unit != "days")
    total += int(parts.get("fraction", "0").ljust(6, "0"))
    days = int(parts.get("days", "0")) * DURATION_UNITS_US["days"]
    if "day_sign" in parts:
        days = -days
    if parts.get("sign") != "-":
        return (days + total) / 1e6
    # The sign of a clock time is its own; that of ISO 8601 stands before the days.
    return (-days - total) / 1e6 if text.startswith("-P") else (days - total) / 1e6
