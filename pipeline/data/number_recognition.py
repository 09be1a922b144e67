"""Recognize numbers with signs around them, counts of time since 1970, and digits that are no numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import parse_column
from pipeline.schema import TextFormat
from pipeline.schema.datetime_format import EPOCH_UNITS_US

__all__ = ["Affixes", "EpochUnit", "epoch_unit", "find_affixes", "number_shape", "signs_in_numbers"]

_CURRENCIES = ("US$", "$", "€", "£", "¥", "₹", "₽", "₩", "R$", "USD", "EUR", "GBP", "CHF", "JPY", "CAD", "AUD", "INR")
_UNITS = (
    "%", "kg", "g", "mg", "lb", "lbs", "oz", "t", "km", "m", "cm", "mm", "mi", "miles", "ft", "in", "inches",
    "h", "hr", "hrs", "hours", "min", "mins", "minutes", "s", "sec", "secs", "ms", "days", "day", "weeks", "week",
    "months", "month", "years", "year", "yrs", "yr", "kmpl", "km/kg", "km/h", "mph", "hp", "bhp", "CC", "cc", "kW",
    "kWh", "GB", "MB", "KB", "TB", "°C", "°F", "l", "ml", "x", "pts", "bps",
)  # fmt: skip
_NUMBER = r"[0-9][0-9.,]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+"
_SAMPLE = 300
_MAX_AFFIXES = 2
_MIN_PLAIN, _MAX_DIGITS_WITHOUT_GROUP = 20, 3
_TIME_NAME = re.compile(
    r"(?i)(^|[^a-z])(time|timestamp|date|datetime|epoch|unix|created|updated|modified|ts)([^a-z]|$)"
)
_TIME_SUFFIX = re.compile(r".*[a-z](Time|Date|Timestamp|At)$|.*_at$")
# Counts of time of the years 1990 to 2050.
_FIRST_S, _LAST_S = 631_152_000, 2_524_608_000


@dataclass(frozen=True, slots=True)
class Affixes:
    """Texts around numbers; `unit` is the one that is a unit."""

    texts: tuple[str, ...]
    unit: str
    example: str


@dataclass(frozen=True, slots=True)
class EpochUnit:
    """A unit of time since 1970 that numbers fit; `is_named` is whether the column's name says that it is a time."""

    format: str
    example: str
    is_named: bool


def number_shape(texts: pa.Array) -> tuple[str, str] | None:
    """Return why texts of digits are no numbers and the key that makes them numbers; None where they may be some."""
    digits = pc.match_substring_regex(texts, r"^-?[0-9]+$")
    if not pc.all(digits).as_py():
        return None
    leading = texts.filter(pc.match_substring_regex(texts, r"^-?0[0-9]"))
    if len(leading):
        example = leading[0].as_py()
        return (
            f"digits with leading zeros, such as {example!r}: codes",
            f"as a number {example} would be {int(example)}",
        )
    invalid = parse_column(texts, TextFormat("integer"))[1]
    if not invalid.size:
        return None
    example = texts[int(invalid[0])].as_py()
    note = "dtype: Float64 rounds them to 16 digits, so that different ones become equal"
    return f"whole numbers beyond 64 bits, such as {example}, which remain texts", note


def epoch_unit(name: str, texts: pa.Array, form: TextFormat) -> EpochUnit | None:
    """Return the unit in which all numbers are times of the years 1990 to 2050; None where there is none."""
    values = parse_column(texts, form)[0].drop_null()
    if not len(values):
        return None
    span = pc.min_max(values.cast(pa.float64(), safe=False)).as_py()
    example = texts[0].as_py()
    is_named = bool(_TIME_NAME.search(name) or _TIME_SUFFIX.match(name))
    if _are_compact_dates(texts, form):
        return EpochUnit("%Y%m%d", example, is_named=True)
    for unit in ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns"):
        factor = EPOCH_UNITS_US["epoch_s"] / EPOCH_UNITS_US[unit]
        if _FIRST_S * factor <= span["min"] and span["max"] <= _LAST_S * factor:
            return EpochUnit(unit, example, is_named=is_named)
    return None


def _are_compact_dates(texts: pa.Array, form: TextFormat) -> bool:
    if form.kind != "integer" or len(texts) < 3:
        return False
    plausible = pc.match_substring_regex(texts, r"^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$")
    return bool(pc.all(plausible).as_py()) and not parse_column(texts, TextFormat("datetime", format="%Y%m%d"))[1].size


def find_affixes(texts: pa.Array) -> Affixes | None:
    """Return the currency or unit around all numbers; None where there is none, or more than one unit."""
    sample = texts.slice(0, _SAMPLE)
    before = "|".join(re.escape(text) for text in _CURRENCIES)
    behind = "|".join(re.escape(text) for text in sorted((*_UNITS, *_CURRENCIES), key=len, reverse=True))
    pattern = rf"^-?[ \t]*(?P<before>{before})?[ \t]*-?(?:{_NUMBER})[ \t]*(?P<behind>{behind})?$"
    parts = pc.extract_regex(sample, pattern).drop_null()
    if len(parts) < 0.5 * len(sample):
        return None
    found = {text for field in ("before", "behind") for text in pc.unique(pc.struct_field(parts, field)).to_pylist()}
    affixes = tuple(sorted(found - {""}))
    are_plurals = len(affixes) == _MAX_AFFIXES and affixes[0] + "s" == affixes[1]
    if len(affixes) != 1 and not are_plurals:
        return None
    example = next(text for text in sample.to_pylist() if any(affix in text for affix in affixes))
    return Affixes(affixes, affixes[-1], example)


def signs_in_numbers(texts: pa.Array) -> list[str]:
    """Return the settings of the source that read all texts as numbers, with what they make of one of them.

    Groups of three digits are no decimals where each number with a group is larger than all the others.
    """
    found: list[str] = []
    for sign in (",", ".", " ", "'"):
        signed = texts.filter(pc.match_substring(texts, sign))
        grouped = rf"^-?(?:[0-9]+|[0-9]{{1,3}}(?:[{sign}][0-9]{{3}})+)$"
        if len(signed) and pc.all(pc.match_substring_regex(texts, grouped)).as_py():
            example = signed[0].as_py()
            found.append(f'data.source.thousands: "{sign}" reads {example!r} as {example.replace(sign, "")}')
            plain = texts.filter(pc.invert(pc.match_substring(texts, sign)))
            if len(plain) >= _MIN_PLAIN and pc.max(pc.binary_length(plain)).as_py() <= _MAX_DIGITS_WITHOUT_GROUP:
                return found
    signed = texts.filter(pc.match_substring(texts, ","))
    if len(signed) and pc.all(pc.match_substring_regex(texts, r"^-?[0-9]+(?:,[0-9]+)?$")).as_py():
        example = signed[0].as_py()
        found.append(f'data.source.decimal: "," reads {example!r} as {example.replace(",", ".")}')
    return found
