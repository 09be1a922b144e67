"""Read single texts as values: the declared form of a column's texts, the same for files, requests and forms."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.schema.datetime_format import EPOCH_UNITS_US, DatetimeForm, datetime_form, epoch_to_us
from pipeline.schema.durations import DURATION_FORMAT, duration_seconds
from pipeline.schema.signed_numbers import SWAPPED_SIGNS, plain_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.schema.column_kinds import ColumnKind

__all__ = ["FALSE_WORDS", "NUMBER_PATTERNS", "TRUE_WORDS", "TextFormat", "is_zone"]

NUMBER_PATTERNS: dict[ColumnKind, str] = {
    "integer": r"-?(0|[1-9][0-9]*)(\.0+)?",
    "float": r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?",
}
TRUE_WORDS, FALSE_WORDS = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_MAX_INT64 = 2**63 - 1
_NUMBERS = {kind: re.compile(pattern) for kind, pattern in NUMBER_PATTERNS.items()}
_EXPECTED: dict[ColumnKind, str] = {
    "integer": "a whole number such as 7, -7 or 7.0, without leading zeros",
    "float": "a number such as 7, -0.5 or 1.5e-3, with a decimal point",
    "boolean": "true or false",
    "datetime": "a date or a moment such as 2026-01-31 or 2026-01-31T18:30:00, without a zone",
    "category": "any text",
    "text": "any text",
}


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How the texts of a column become values of its kind.

    Attributes
    ----------
    kind : str
        Kind of the values.
    format : str or None
        Of datetimes a strptime form, or a count since 1970 such as `epoch_s`; of floats `duration`: seconds.
    zone : str or None
        IANA zone of moments whose text has no offset; they become moments in UTC.
    true_values, false_values : tuple of str
        Words of booleans.
    null_values : tuple of str
        Words that mark a missing value.
    strip : tuple of str
        Texts before or behind a number that are not part of it, such as a currency sign.
    decimal, thousands : str, str or None
        Signs of the source in the numbers of requests. The readers of files rewrite them before they parse a column.
    """

    kind: ColumnKind
    format: str | None = None
    zone: str | None = None
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None

    @property
    def is_declared(self) -> bool:
        """Whether anything about texts is declared; then texts are accepted wherever values are."""
        return self.has_own_form or bool(self.null_values)

    @property
    def has_own_form(self) -> bool:
        """Whether present values are written in another form than the canonical one."""
        return bool(self.format or self.zone or self.true_values or self.strip) or self._has_signs

    @property
    def _has_signs(self) -> bool:
        return self.kind in NUMBER_PATTERNS and (self.decimal, self.thousands) != (".", None)

    @property
    def is_epoch(self) -> bool:
        """Whether moments are numbers of time since 1970."""
        return self.format in EPOCH_UNITS_US

    @property
    def is_duration(self) -> bool:
        """Whether numbers are durations in seconds, written as `1 days 02:03:04`, `02:03:04` or `PT2H`."""
        return self.format == DURATION_FORMAT

    @property
    def words(self) -> dict[str, bool]:
        """The words of a boolean column and their values; the canonical ones count unless they are declared."""
        canonical = {**dict.fromkeys(TRUE_WORDS, True), **dict.fromkeys(FALSE_WORDS, False)}
        return {**canonical, **dict.fromkeys(self.true_values, True), **dict.fromkeys(self.false_values, False)}

    @property
    def example(self) -> str | None:
        """A text of the declared form of a moment; None for other kinds."""
        if self.kind != "datetime":
            return None
        return "1767204000" if self.format == "epoch_s" else self.datetime_forms[0].example

    @property
    def expected(self) -> str:
        """The texts that it accepts, as the text that follows "expected"."""
        if self.true_values:
            return f"one of {', '.join((*self.true_values, *self.false_values))}"
        if self.is_duration:
            return "a duration such as 02:03:04, 1 days 02:03:04 or PT2H3M"
        if self.is_epoch:
            return f"a number of time since 1970 (format: {self.format})"
        if self.kind == "datetime" and (self.format or self.zone):
            return f"a date or a moment such as {self.example}"
        around = f", with or without {' '.join(self.strip)}" if self.strip else ""
        form = _EXPECTED[self.kind]
        if self.kind in NUMBER_PATTERNS and self.decimal == ",":
            form = form.replace("0.5", "0,5").replace("1.5e", "1,5e").replace("7.0", "7,0").replace("point", "comma")
        return form + around

    @property
    def affix_pattern(self) -> str:
        """Regular expression of a number within `strip`; its groups are a sign and the rest of the number."""
        texts = "|".join(re.escape(text) for text in sorted(self.strip, key=len, reverse=True))
        return rf"[ \t]*(-?)[ \t]*(?:{texts})?[ \t]*(.*?)[ \t]*(?:{texts})?[ \t]*"

    @property
    def datetime_forms(self) -> tuple[DatetimeForm, ...]:
        """The forms of a moment in the order in which they are tried: as declared, then ISO 8601.

        Where a date of ISO 8601 has another meaning in the declared form, it needs a time of day behind a T.
        """
        iso = datetime_form(None, self.zone)
        if self.format is None or self.is_epoch:
            return (iso,)
        declared = datetime_form(self.format, self.zone)
        return (declared, iso if _agree(declared, iso) else datetime_form("%Y-%m-%dT%H:%M:%S", self.zone))

    def check(self) -> None:
        """Raise where the declaration contradicts itself.

        Raises
        ------
        ValueError
            Naming the key and what is wrong.
        """
        for message in _contradictions(self):
            raise ValueError(message)

    def read(self, value: Any) -> Any:
        """Return a value of a request, read by `parse` where it is a text, or a number that stands for a text.

        Raises
        ------
        ValueError
            When the text is none that the column accepts.
        """
        if type(value) is str:
            return self._parse_signed(value) if self._has_signs else self.parse(value)
        is_number_for_text = type(value) in (int, float) and self.kind in ("boolean", "datetime")
        if not is_number_for_text or value - value != 0.0:
            return value
        return self.parse(str(int(value) if value == int(value) else value))

    def _parse_signed(self, text: str) -> Any:
        if text in self.null_values:
            return None
        is_comma = self.decimal == ","
        strip = tuple(each.translate(SWAPPED_SIGNS) for each in self.strip) if is_comma else self.strip
        plain = replace(self, strip=strip, null_values=(), decimal=".", thousands=None)
        return plain.parse(plain_number(text, decimal=self.decimal, thousands=self.thousands))

    def parse(self, text: str) -> Any:
        """Return the value of a text: int, float, bool, str or datetime (UTC without a zone); None if it is missing.

        Raises
        ------
        ValueError
            When the text is none that the column accepts.
        """
        if text in self.null_values:
            return None
        return _compile_parser(self)(text)


def _agree(declared: DatetimeForm, iso: DatetimeForm) -> bool:
    """Whether no ISO date has another meaning in the declared form."""
    probe = "2001-02-03"
    try:
        return declared.parse(probe) == iso.parse(probe)
    except ValueError:
        return True


@lru_cache(maxsize=4096)
def _compile_parser(text_format: TextFormat) -> Callable[[str], Any]:
    return _PARSERS[text_format.kind](text_format)


def _integer_parser(text_format: TextFormat) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = _without_affixes(text_format, text)
        if _NUMBERS["integer"].fullmatch(number) is None:
            raise ValueError(text_format.expected)
        value = int(number.partition(".")[0])
        if not -_MAX_INT64 - 1 <= value <= _MAX_INT64:
            raise ValueError("an integer beyond 64 bits")
        return value

    return parse


def _float_parser(text_format: TextFormat) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number = _without_affixes(text_format, text)
        if _NUMBERS["float"].fullmatch(number) is None:
            if text_format.is_duration:
                return duration_seconds(text)
            raise ValueError(text_format.expected)
        value = float(number)
        if value - value != 0.0:
            raise ValueError("a number beyond the range of a double")
        return value

    return parse


def _without_affixes(text_format: TextFormat, text: str) -> str:
    if not text_format.strip:
        return text
    match = re.fullmatch(text_format.affix_pattern, text)
    return text if match is None else match[1] + match[2]


def _boolean_parser(text_format: TextFormat) -> Callable[[str], bool]:
    words = text_format.words

    def parse(text: str) -> bool:
        if text not in words:
            raise ValueError(text_format.expected)
        return words[text]

    return parse


def _datetime_parser(text_format: TextFormat) -> Callable[[str], Any]:
    forms = text_format.datetime_forms

    def parse(text: str) -> datetime:
        unit = text_format.format
        if unit in EPOCH_UNITS_US and _NUMBERS["float"].fullmatch(text):
            return datetime(1970, 1, 1) + timedelta(microseconds=epoch_to_us(float(text), unit))  # noqa: DTZ001 - UTC
        for form in forms[:-1]:
            try:
                return form.parse(text)
            except ValueError:
                continue
        return forms[-1].parse(text)

    return parse


def _text_parser(_text_format: TextFormat) -> Callable[[str], str]:
    return str


_PARSERS: dict[ColumnKind, Callable[[TextFormat], Callable[[str], Any]]] = {
    "integer": _integer_parser,
    "float": _float_parser,
    "boolean": _boolean_parser,
    "datetime": _datetime_parser,
    "category": _text_parser,
    "text": _text_parser,
}


def _contradictions(declared: TextFormat) -> list[str]:
    """Return what is wrong with a declaration, each with its key."""
    found: list[str] = []
    kind, words = declared.kind, (*declared.true_values, *declared.false_values)
    is_number = kind in ("integer", "float")
    if kind != "datetime" and declared.format is not None and not (kind == "float" and declared.is_duration):
        found.append(f"format: found {declared.format!r}; a form is declared for dtype datetime64[us], or"
                     f" {DURATION_FORMAT} for Float64")  # fmt: skip
    if kind == "datetime" and declared.format is not None and not declared.is_epoch:
        try:
            datetime_form(declared.format, None)
        except ValueError as error:
            units = ", ".join(EPOCH_UNITS_US)
            found.append(f'format: {error}; write a form such as "%d.%m.%Y %H:%M", or one of {units}')
    if declared.zone is not None and kind != "datetime":
        found.append("zone: is a key of columns with dtype datetime64[us]")
    if declared.zone is not None and not is_zone(declared.zone):
        found.append(f"zone: found {declared.zone!r}; write an IANA zone such as UTC or Europe/Berlin")
    if words and (kind != "boolean" or not declared.true_values or not declared.false_values):
        found.append("true_values, false_values: both are declared together, for dtype boolean")
    if len({*words, *declared.null_values}) != len(words) + len(declared.null_values):
        found.append("true_values, false_values, null_values: a word occurs twice")
    if declared.strip and (not is_number or not all(text.strip() for text in declared.strip)):
        found.append('strip: lists texts around a number, such as ["$"], for dtype Int64 or Float64')
    return found


def is_zone(name: str) -> bool:
    """Return whether a name is that of an IANA zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
