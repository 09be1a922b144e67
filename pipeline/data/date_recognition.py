"""Find the form of dates and moments in texts, and say where two forms read the same texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import parse_column
from pipeline.schema import TextFormat
from pipeline.schema.datetime_format import MONTH_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DateReading", "candidate_formats", "find_date_readings", "form_in_words"]

_MONTHS = "|".join(sorted({name[:3] for name in MONTH_NAMES}))
_LONG_MONTHS = "|".join(MONTH_NAMES)
_WEEKDAY = re.compile(r"(?i)^((?:mon|tue|wed|thu|fri|sat|sun)(?:[a-z]*day)?)(,? +)")
_ZONE = re.compile(r"( ?)(Z|UTC|GMT|[-+][0-9]{2}(?::?[0-9]{2})?)$")
_TIME = re.compile(r"(?i)(, | +|T|:)([0-9]{1,2}):([0-9]{2})(:[0-9]{2})?(\.[0-9]{1,9})?( ?[ap]\.?m\.?)?$")
# Month 13 and beyond is a day, as in 2024-14-05.
_ISO_START = r"^[0-9]{4}-(0[0-9]|1[0-2])-[0-9]{2}([T ]|$)"
_DAY_NAME = r"(?:mon|tue|wed|thu|fri|sat|sun)(?:[a-z]*day)?"
_OFFSET = r"(?:Z|UTC|GMT|[-+][0-9]{2}:?[0-9]{2})"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
_YEAR_BEHIND_TIME = re.compile(rf"(?i)^({_DAY_NAME}) +[a-z]{{3}} +[0-9]{{1,2}} +{_CLOCK}( {_OFFSET})? [0-9]{{4}}$")
_MONTH_AND_YEAR = re.compile(r"^[0-9]{1,2}([-./ ])[0-9]{4}$")
_NUMERIC_DATE = re.compile(r"^([0-9]{1,4})([-./ ])([0-9]{1,2})(?:\2([0-9]{1,4}))?$")
_NAMED_DATE = re.compile(rf"(?i)^(?:([0-9]{{1,2}})([-/. ]*))?({_LONG_MONTHS}|{_MONTHS})([-/. ,]*)([0-9]{{1,4}})"
                         r"(?:(,? +|[-/])([0-9]{4}))?$")  # fmt: skip
_N_PROBED = 5
_SAMPLE = 500


@dataclass(frozen=True, slots=True)
class DateReading:
    """A form, and the share of distinct texts that it reads, 0 to 1."""

    text_format: TextFormat
    share: float


def candidate_formats(text: str) -> Iterator[str | None]:
    """Yield the strptime forms that may have written a text, the likelier first; None is ISO 8601."""
    if re.match(_ISO_START, text):
        yield None
        return
    if match := _YEAR_BEHIND_TIME.match(text):
        weekday, offset = match[1], "" if match[2] is None else " %z"
        yield f"{'%a' if len(weekday) == 3 else '%A'} %b %d %H:%M:%S{offset} %Y"
        return
    rest = text
    zone = _ZONE.search(rest) if ":" in rest else None
    if zone is not None:
        rest = rest[: zone.start()]
    time = _TIME.search(rest)
    if time is not None:
        rest = rest[: time.start()]
    weekday = _WEEKDAY.match(rest)
    start = ""
    if weekday is not None:
        start = ("%A" if len(weekday[1]) > 3 else "%a") + weekday[2]
        rest = rest[weekday.end() :]
    end = ("" if time is None else _time_form(time)) + ("" if zone is None else f"{zone[1]}%z")
    for date in _date_forms(rest.strip()):
        yield f"{start}{date}{end}"


def _time_form(match: re.Match[str]) -> str:
    hours, half = ("%H", "") if match[6] is None else ("%I", " %p" if match[6].startswith(" ") else "%p")
    seconds = ("" if match[4] is None else ":%S") + ("" if match[5] is None else ".%f")
    return f"{match[1]}{hours}:%M{seconds}{half}"


def _date_forms(text: str) -> Iterator[str]:
    if match := _MONTH_AND_YEAR.match(text):
        yield f"%m{match[1]}%Y"
    elif match := _NUMERIC_DATE.match(text):
        first, sign, second, third = match.groups()
        yield from _numeric_forms(first, sign, second, third)
    elif match := _NAMED_DATE.match(text):
        yield from _named_forms(match)
    elif re.fullmatch(r"(19|20)[0-9]{6}", text):
        yield "%Y%m%d"


def _numeric_forms(first: str, sign: str, second: str, third: str | None) -> Iterator[str]:
    if third is None:
        if len(first) == 4:
            yield f"%Y{sign}%m"
        return
    if len(first) == 4:
        yield f"%Y{sign}%m{sign}%d" if int(second) <= 12 else f"%Y{sign}%d{sign}%m"
    elif len(third) in (2, 4):
        year = "%Y" if len(third) == 4 else "%y"
        orders = [f"%d{sign}%m{sign}{year}", f"%m{sign}%d{sign}{year}"]
        yield from orders
        if len(third) == 2 and len(first) == 2:
            yield f"%y{sign}%m{sign}%d"


def _named_forms(match: re.Match[str]) -> Iterator[str]:
    name = match[3]
    # May is both short and long.
    for month in ("%b", "%B") if name.lower() == "may" else ("%b",) if len(name) == 3 else ("%B",):
        yield from _forms_of_named(match, month)


def _forms_of_named(match: re.Match[str], month: str) -> Iterator[str]:
    day, after_day, _, after_name, number, after_number, year = match.groups()
    if day is not None and year is None and len(number) in (2, 4):
        yield f"%d{after_day}{month}{after_name}{'%Y' if len(number) == 4 else '%y'}"
    elif day is None and year is not None and len(number) <= 2:
        yield f"{month}{after_name}%d{after_number}%Y"
    elif day is None and year is None and len(number) == 4:
        yield f"{month}{after_name}%Y"
    elif day is None and year is None and len(number) == 2:
        yield f"{month}{after_name}%y"


def find_date_readings(texts: pa.Array, *, minimum_share: float) -> list[DateReading]:
    """Return the forms that read at least `minimum_share` of distinct texts, the best first.

    Texts are tried in a sample first; a form that reads too few of it is not tried on all.
    """
    if not len(texts):
        return []
    sample = texts.take(pa.array(np.linspace(0, len(texts) - 1, min(len(texts), _SAMPLE)).astype(np.int64)))
    formats: dict[TextFormat, None] = {}
    has_zone = pc.any(pc.match_substring_regex(sample, r":[0-9.]+ ?(Z|UTC|GMT|[-+][0-9]{2}(:?[0-9]{2})?)$")).as_py()
    for text in sample.take(pa.array(np.linspace(0, len(sample) - 1, min(len(sample), _N_PROBED)).astype(np.int64))):
        for form in candidate_formats(text.as_py()):
            zone = "UTC" if form is None and has_zone else None
            formats[TextFormat("datetime", format=form, zone=zone)] = None
    readings = [DateReading(each, _share_read(sample, each)) for each in formats]
    likely = [reading.text_format for reading in readings if reading.share >= min(minimum_share, 0.9) - 0.05]
    readings = [DateReading(each, _share_read(texts, each)) for each in likely]
    # Two forms that read all are equals; the sort is stable, and ISO 8601 comes first.
    return sorted((each for each in readings if each.share >= minimum_share), key=lambda each: -each.share)


def _share_read(texts: pa.Array, text_format: TextFormat) -> float:
    strict = texts
    if text_format.format is not None:
        # ISO texts are read in every column; they are no evidence for another form.
        strict = texts.filter(pc.invert(pc.match_substring_regex(texts, _ISO_START)))
    return (len(strict) - parse_column(strict, text_format)[1].size) / len(texts)


def form_in_words(form: str | None) -> str:
    """Return a form as people write it: %d.%m.%Y is D.M.Y."""
    if form is None:
        return "ISO 8601"
    words = {
        "%d": "D", "%m": "M", "%Y": "Y", "%y": "Y", "%b": "Mon", "%B": "Month", "%H": "h", "%I": "h", "%M": "min",
        "%S": "s", "%f": "fraction", "%p": "AM/PM", "%z": "offset", "%a": "weekday", "%A": "weekday",
    }  # fmt: skip
    return re.sub(r"%.", lambda match: words.get(match[0], match[0]), form)
