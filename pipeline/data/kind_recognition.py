"""Recognize what the texts of a column are: kind, declared form, words for missing values, and the evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_counts import ALWAYS_MISSING, CellCounts, quote_examples
from pipeline.data.cell_parsers import parse_column
from pipeline.data.coercion import is_number_type, is_text_type
from pipeline.data.date_recognition import find_date_readings, form_in_words
from pipeline.data.number_recognition import epoch_unit, find_affixes, number_shape, signs_in_numbers
from pipeline.schema import TextFormat
from pipeline.schema.column_kinds import MAX_CATEGORIES
from pipeline.schema.durations import DURATION_FORMAT, DURATION_PATTERNS
from pipeline.schema.text_format import is_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.data.date_recognition import DateReading
    from pipeline.data.number_recognition import EpochUnit
    from pipeline.schema.column_kinds import ColumnKind

__all__ = ["RecognizedColumn", "recognize_column", "recognize_texts", "settle_words"]

_MIN_SHARE_TO_MENTION = 0.6
_DATE_SHARE = 0.5
_MAX_LISTED_WORDS = 10
_DECIMALS = r"[.][0-9]{2,}([^0-9]|$)"
_CODE = r"^[A-Z]{2}$"
_CODE_NOTE = "NA is a word among codes of two letters; null_values: [NA] reads it as missing"


@dataclass(frozen=True, slots=True)
class RecognizedColumn:
    """What a column is, by its texts or its type.

    Attributes
    ----------
    text_format : TextFormat
        Kind and keys of the declaration. `null_values` are the words of missing values in this column.
    evidence : str
        One phrase with an example, such as `dates in the form D.M.Y, such as '14.05.2024'`.
    unit : str or None
        Unit that the texts name, or s for durations.
    n_missing_words : int
        Rows with one of `null_values`.
    assumptions : tuple of str
        Phrases about what the texts leave open, each with the key that changes it.
    is_typed : bool
        Whether the source has moments or durations; its values are no texts of `text_format`.
    retained_words : tuple of str
        Words of missing values that are words of this column, such as NA among codes of two letters.
    is_unrecognized : bool
        Whether most texts look like numbers or dates, and no form reads them; the column is one of texts then.
    """

    text_format: TextFormat
    evidence: str
    unit: str | None = None
    n_missing_words: int = 0
    assumptions: tuple[str, ...] = ()
    is_typed: bool = False
    retained_words: tuple[str, ...] = ()
    is_unrecognized: bool = False

    @property
    def keys(self) -> dict[str, str | list[str]]:
        """The keys of the declaration besides dtype, in their order; `null_values` are left out."""
        form = self.text_format
        lists = {"true_values": form.true_values, "false_values": form.false_values, "strip": form.strip}
        values = {"format": form.format, "zone": form.zone, **{key: list(texts) for key, texts in lists.items()}}
        return {key: value for key, value in values.items() if value}


def recognize_column(name: str, column: pa.Array) -> RecognizedColumn:
    """Return what a column of any Arrow type is; dictionaries and texts are recognized by their texts."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    recognize = next((recognize for is_type, recognize in _BY_TYPE if is_type(column.type)), _recognize_others)
    return recognize(name, column)


def _recognize_others(_name: str, column: pa.Array) -> RecognizedColumn:
    return RecognizedColumn(TextFormat("text"), f"values of type {column.type}")


def _recognize_booleans(_name: str, _column: pa.Array) -> RecognizedColumn:
    return RecognizedColumn(TextFormat("boolean"), "true and false")


def _recognize_temporal(_name: str, column: pa.Array) -> RecognizedColumn:
    if pa.types.is_duration(column.type) or pa.types.is_time(column.type):
        form = TextFormat("float", format=DURATION_FORMAT)
        return RecognizedColumn(form, "durations or times, in seconds", unit="s", is_typed=True)
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    if zone is not None:
        form = TextFormat("datetime", zone=zone if is_zone(zone) else "UTC")
        return RecognizedColumn(form, f"moments of the zone {zone}, stored in UTC", is_typed=True)
    return RecognizedColumn(TextFormat("datetime"), "moments without a zone", is_typed=True)


def _recognize_numbers(name: str, column: pa.Array) -> RecognizedColumn:
    if pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
        infinite = column.filter(pc.is_inf(column))
        finite = column.filter(pc.is_finite(column))
        whole = not len(finite) or pc.all(pc.equal(pc.floor(finite), finite)).as_py()
        fits = not len(finite) or pc.max(pc.abs(finite)).as_py() < 2.0**63
        form = TextFormat("integer" if whole and fits else "float")
        words = ("inf", "-inf") if len(infinite) else ()
        recognized = RecognizedColumn(replace(form, null_values=words), "numbers", n_missing_words=len(infinite))
        return recognized if not len(infinite) else _with_missing_note(recognized, {"inf": len(infinite)})
    return recognize_texts(name, pc.replace_substring_regex(column.cast(pa.string()), r"\.0+$", ""))


def _recognize_typed_texts(name: str, column: pa.Array) -> RecognizedColumn:
    """Return what texts are in a source with types, where whole numbers as texts are meant as codes."""
    recognized = recognize_texts(name, column)
    form = recognized.text_format
    if form.kind == "integer" and not form.is_declared:
        note = "the source has these digits as texts; dtype: Int64 reads them as numbers"
        return RecognizedColumn(_words_format(CellCounts.of(column)), "texts of digits", assumptions=(note,))
    return recognized


_BY_TYPE: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str, pa.Array], RecognizedColumn]], ...] = (
    (is_text_type, _recognize_typed_texts),
    (pa.types.is_boolean, _recognize_booleans),
    (pa.types.is_temporal, _recognize_temporal),
    (is_number_type, _recognize_numbers),
)


def recognize_texts(name: str, column: pa.Array) -> RecognizedColumn:
    """Return what the texts of a column are.

    Parameters
    ----------
    name : str
        Name of the column, which decides whether whole numbers count time since 1970.
    column : Arrow array of strings, shape (n,)
        Null where a value is missing; numbers have a decimal point and no signs between groups.
    """
    cells = CellCounts.of(column)
    if not len(cells.texts):
        null_values = tuple(sorted(cells.words))
        empty = RecognizedColumn(TextFormat("text", null_values=null_values), "no values")
        return replace(empty, n_missing_words=sum(cells.words.values()))
    found = (
        _booleans(cells)
        or _numbers(name, cells)
        or _affixed_numbers(cells)
        or _grouped_numbers(cells)
        or _dates(cells, column)
        or _durations(cells)
    )
    return found if found is not None else _words(cells)


def _booleans(cells: CellCounts) -> RecognizedColumn | None:
    words = cells.texts.to_pylist() if len(cells.texts) <= 6 else []
    lowered = {word.lower() for word in words}
    if not lowered or not (lowered <= {"true", "false"} or lowered == {"t", "f"}):
        return None
    form = TextFormat("boolean")
    if not set(words) <= set(form.words):
        true_values = tuple(sorted(word for word in words if word[0] in "tT"))
        false_values = tuple(sorted(word for word in words if word[0] in "fF"))
        form = TextFormat("boolean", true_values=true_values, false_values=false_values)
        if not true_values or not false_values:
            return None
    return _with_words(RecognizedColumn(form, f"true and false, written {quote_examples(sorted(words))}"), cells, {})


def _numbers(name: str, cells: CellCounts) -> RecognizedColumn | None:
    shape = number_shape(cells.texts)
    if shape is not None:
        evidence, assumption = shape
        words = _words(cells)
        return replace(words, evidence=evidence, assumptions=(assumption, *words.assumptions))
    for kind in _number_kinds(cells):
        form = TextFormat(kind)
        foreign = cells.foreign(form)
        if foreign is None:
            continue
        label = "whole numbers" if form.kind == "integer" else "numbers"
        recognized = RecognizedColumn(form, f"{label} such as {cells.texts[0].as_py()}")
        if (unit := epoch_unit(name, cells.texts, form)) is not None:
            recognized = _as_times(recognized, unit)
        return _with_words(recognized, cells, foreign)
    return None


def _number_kinds(cells: CellCounts) -> tuple[ColumnKind, ...]:
    """Return the kinds to try: whole numbers with two decimals, such as 12.00, are amounts that the file rounds."""
    has_decimals = pc.any(pc.match_substring_regex(cells.texts, _DECIMALS)).as_py()
    return ("float",) if has_decimals else ("integer", "float")


def _as_times(numbers: RecognizedColumn, unit: EpochUnit) -> RecognizedColumn:
    """Return a column of moments where its name says so, else the numbers with a note."""
    form = TextFormat("datetime", format=unit.format)
    shown = f"{form.parse(unit.example):%Y-%m-%d %H:%M}"
    if unit.is_named:
        evidence = f"times in the form {unit.format}, such as {unit.example} for {shown} UTC"
        alternative = "dtype: Int64 without format reads them as numbers"
        return replace(numbers, text_format=form, evidence=evidence, assumptions=(alternative,))
    note = f'dtype: "datetime64[us]" with format: {unit.format} reads {unit.example} as {shown} UTC'
    return replace(numbers, assumptions=(note,))


def _affixed_numbers(cells: CellCounts) -> RecognizedColumn | None:
    affixes = find_affixes(cells.texts)
    if affixes is None:
        return None
    evidence = f"numbers with {quote_examples(list(affixes.texts))}, such as {affixes.example!r}"
    for kind in _number_kinds(cells):
        form = TextFormat(kind, strip=affixes.texts)
        if (foreign := cells.foreign(form)) is not None:
            return _with_words(RecognizedColumn(form, evidence, unit=affixes.unit), cells, foreign)
    strip = ", ".join(f'"{text}"' for text in affixes.texts)
    return _partly_read(cells, TextFormat("float", strip=affixes.texts), evidence, f"strip: [{strip}]")


def _partly_read(cells: CellCounts, form: TextFormat, evidence: str, key: str) -> RecognizedColumn | None:
    """Return texts of which `form` reads most, with the cells that it does not read; None where it reads fewer."""
    if 1 - cells.unread(form).n_rows / cells.n_present < _MIN_SHARE_TO_MENTION:
        return None
    advice = f"with dtype: Float64 and {key}, list these cells in null_values"
    return _unread_texts(cells, f"look like {evidence}; {_differing(cells, form)}", advice)


def _differing(cells: CellCounts, form: TextFormat) -> str:
    unread = cells.unread(form)
    return f"{unread.n_rows:,} of {cells.n_present:,} cells differ: {quote_examples(unread.examples)}"


def _grouped_numbers(cells: CellCounts) -> RecognizedColumn | None:
    readings = signs_in_numbers(cells.texts)
    if not readings:
        return None
    evidence = "numbers with a sign that data.source does not declare"
    return _unread_texts(cells, evidence, " or ".join(readings))


def _durations(cells: CellCounts) -> RecognizedColumn | None:
    sample = cells.texts.slice(0, 100)
    pattern = "|".join(f"(?:{re.sub(r'[?]P<[a-z_]+>', '?:', pattern)})" for pattern in DURATION_PATTERNS)
    if pc.sum(pc.match_substring_regex(sample, f"^(?:{pattern})$")).as_py() < len(sample) / 2:
        return None
    form = TextFormat("float", format=DURATION_FORMAT)
    example = next(text for text in sample.to_pylist() if re.fullmatch(pattern, text))
    evidence = f"durations or times such as {example!r}, in seconds"
    foreign = cells.foreign(form)
    if foreign is None:
        return _partly_read(cells, form, evidence, f"format: {DURATION_FORMAT}")
    return _with_words(RecognizedColumn(form, evidence, unit="s"), cells, foreign)


def _dates(cells: CellCounts, column: pa.Array) -> RecognizedColumn | None:
    readings = find_date_readings(cells.texts, minimum_share=_DATE_SHARE)
    if not readings:
        return None
    best = [reading for reading in readings if reading.share == readings[0].share]
    orders = {_order_of_parts(reading): reading for reading in reversed(best)}
    reading, reason = best[0], ""
    if len(orders) > 1:
        decided = _decide_order(list(orders.values()), column)
        if decided is None:
            return _ambiguous_dates(cells, list(orders.values()))
        reading, reason = decided
    form, example = reading.text_format, cells.texts[0].as_py()
    foreign = {} if reading.share == 1 else cells.foreign(form)
    if foreign is None:
        evidence = f"look like dates in the form {form_in_words(form.format)}; {_differing(cells, form)}"
        key = "" if form.format is None else f', with format: "{form.format}"'
        return _unread_texts(cells, evidence, f"correct these cells, or list them in null_values{key}")
    evidence = f"dates in the form {form_in_words(form.format)}, such as {example!r}{reason}"
    is_zoned = form.zone is not None or "%z" in (form.format or "")
    evidence += ", stored in UTC" if is_zoned else ""
    return _with_words(RecognizedColumn(form, evidence), cells, foreign)


def _order_of_parts(reading: DateReading) -> str:
    form = reading.text_format.format or "%Y%m%d"
    return "".join(re.findall(r"%([dmYyb])", form.replace("%B", "%b"))).replace("y", "Y")


def _decide_order(readings: list[DateReading], column: pa.Array) -> tuple[DateReading, str] | None:
    """Return the order of day, month and year that the texts themselves decide, and why; None if they do not."""
    example = column.drop_null()[0].as_py()
    if "." in example:
        return next(each for each in readings if (each.text_format.format or "").startswith("%d")), ""
    moments = [parse_column(column, each.text_format)[0].drop_null() for each in readings]
    monthly = [len(days) > 2 and pc.all(pc.equal(pc.day(days), 1)).as_py() for days in moments]
    if sum(monthly) == 1:
        return readings[monthly.index(True)], "; each is the first day of a month"
    ascending = [_is_sorted(days.cast(pa.int64()).to_numpy()) for days in moments]
    if sum(ascending) == 1:
        return readings[ascending.index(True)], "; in this order of day and month the rows are in order of time"
    return None


def _is_sorted(values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> bool:
    steps = np.diff(values)
    return bool(len(steps) and steps.any() and ((steps >= 0).all() or (steps <= 0).all()))


def _ambiguous_dates(cells: CellCounts, readings: list[DateReading]) -> RecognizedColumn:
    example = cells.texts[0].as_py()
    keys = [
        f'format: "{reading.text_format.format}" reads it as {reading.text_format.parse(example):%-d %B %Y}'
        for reading in readings
    ]
    evidence = f"dates such as {example!r}, whose order of day and month no cell decides"
    choice = f"dtype: datetime64[us] with {', or '.join(keys)}"
    return _unread_texts(cells, evidence, choice)


def _unread_texts(cells: CellCounts, evidence: str, choice: str) -> RecognizedColumn:
    """Return a column of texts that are meant as dates or numbers, and the key that reads them."""
    words = _words(cells)
    form = replace(words.text_format, kind="text")
    return replace(words, text_format=form, evidence=evidence, assumptions=(choice,), is_unrecognized=True)


def _words(cells: CellCounts) -> RecognizedColumn:
    """Return a column of words, or of texts where there are many different ones."""
    form = _words_format(cells)
    texts = cells.with_words(set(form.null_values))
    examples = texts.take(pa.array(np.argsort(-cells.counts, kind="stable")[:2])).to_pylist()
    noun = "words" if form.kind == "category" else "texts"
    retained = ("NA",) if "NA" in cells.words and "NA" not in form.null_values else ()
    assumptions = (_CODE_NOTE,) if retained else ()
    unread = cells.unread(number := TextFormat("float"))
    recognized = RecognizedColumn(form, f"{len(texts):,} {noun} such as {quote_examples(examples)}")
    if _MIN_SHARE_TO_MENTION <= 1 - unread.n_rows / cells.n_present < 1:
        evidence = f"look like numbers; {_differing(cells, number)}"
        recognized = replace(recognized, evidence=evidence, is_unrecognized=True)
        if unread.n_texts <= _MAX_LISTED_WORDS:
            assumptions = (*assumptions, "with dtype: Float64, list these cells in null_values")
    missing = {word: cells.words[word] for word in form.null_values}
    recognized = replace(
        recognized, assumptions=assumptions, n_missing_words=sum(missing.values()), retained_words=retained
    )
    return _with_missing_note(recognized, missing) if missing else recognized


def _words_format(cells: CellCounts) -> TextFormat:
    missing = {word for word in cells.words if word in ALWAYS_MISSING or not word.strip()}
    codes = pc.match_substring_regex(cells.texts, _CODE)
    n_codes = pc.sum(codes).as_py() or 0
    if "NA" in missing and n_codes >= 10 and n_codes >= 0.9 * len(cells.texts):
        missing -= {"NA"}
    n_distinct = len(cells.with_words(missing))
    return TextFormat("category" if n_distinct <= MAX_CATEGORIES else "text", null_values=tuple(sorted(missing)))


def _with_words(recognized: RecognizedColumn, cells: CellCounts, foreign: dict[str, int]) -> RecognizedColumn:
    """Return a recognized column with the words of missing values, those of no known list last and with a note."""
    words = {**cells.words, **foreign}
    if not words:
        return recognized
    form = replace(recognized.text_format, null_values=tuple(sorted(words)))
    return _with_missing_note(replace(recognized, text_format=form, n_missing_words=sum(words.values())), words)


def _with_missing_note(recognized: RecognizedColumn, words: dict[str, int]) -> RecognizedColumn:
    n_rows = sum(words.values())
    rows = "1 row" if n_rows == 1 else f"{n_rows:,} rows"
    evidence = f"{recognized.evidence}; {quote_examples(sorted(words))} in {rows} read as missing"
    return replace(recognized, evidence=evidence)


def settle_words(columns: Mapping[str, RecognizedColumn]) -> dict[str, RecognizedColumn]:
    """Return the columns of a file where a word among codes is missing, too, if numbers or dates have it as missing."""
    marks = {
        word
        for column in columns.values()
        for word in column.text_format.null_values
        if column.text_format.kind not in ("category", "text")
    }
    return {name: _settle(column, marks) for name, column in columns.items()}


def _settle(column: RecognizedColumn, marks: set[str]) -> RecognizedColumn:
    words = tuple(word for word in column.retained_words if word in marks)
    if not words:
        return column
    form = replace(column.text_format, null_values=(*column.text_format.null_values, *words))
    note = "NA is missing, as among the numbers of this file; null_values: [] reads it as a word"
    assumptions = tuple(note if each == _CODE_NOTE else each for each in column.assumptions)
    return replace(column, text_format=form, assumptions=assumptions, retained_words=())
