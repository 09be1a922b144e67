"""Name the setting of a dialect that accepts what the CSV reader refuses; none where no setting does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.csv_header import count_fields
from pipeline.data.csv_records import match_record
from pipeline.data.date_recognition import find_date_readings
from pipeline.data.number_recognition import find_affixes
from pipeline.data.number_signs import parse_cells, rewrite_numbers
from pipeline.schema import TextFormat
from pipeline.schema.text_format import NUMBER_PATTERNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.groups.source_config import CsvDialect

__all__ = [
    "advise_cell",
    "advise_encoding",
    "advise_fields",
    "advise_header",
    "advise_number",
    "advise_quote",
    "name_setting",
]

_N_HEADER_CANDIDATES = 50
_PAIRS = (("y", "n"), ("yes", "no"), ("t", "f"), ("1", "0"), ("on", "off"))
_CODE = re.compile(r"-?(?:0[0-9]+|[0-9]{19,})")


def name_setting(key: str, value: Any) -> str:
    """Return a setting of the source in the words of every message: data.source.KEY: VALUE."""
    return f"data.source.{key}: {json.dumps(value, ensure_ascii=False)}"


def advise_encoding(line: bytes, dialect: CsvDialect) -> str | None:
    """Return the setting that reads a line which is not in the declared encoding."""
    if dialect.encoding != "utf-8":
        return None
    try:
        line.decode("cp1252")
    except UnicodeDecodeError:
        return f"{name_setting('encoding', 'latin-1')} reads it"
    return f"{name_setting('encoding', 'cp1252')} reads it"


def advise_fields(line: bytes, dialect: CsvDialect, *, n_fields: int, is_first: bool) -> str | None:
    """Return the setting that accepts a line with another number of fields than the header; `is_first` below it."""
    if not line.strip():
        return f"{name_setting('skip_blank_lines', value=True)} leaves such lines out"
    if dialect.comment is None and line[:1] in (b"#", b"%"):
        return f"{name_setting('comment', line[:1].decode())} leaves such lines out"
    text = line.decode("utf-8", "replace")
    if count_fields(text, dialect.model_copy(update={"trailing_delimiter": True})) == n_fields:
        return f"{name_setting('trailing_delimiter', value=True)} accepts empty fields at the end of lines"
    if is_first and count_fields(text, dialect) == n_fields + 1:
        return f"{name_setting('index_column', 'index')} names a first column that the header leaves out"
    return None


def advise_quote(content: bytes, start: int, dialect: CsvDialect, *, n_fields: int | None) -> str | None:
    """Return the setting that reads a record whose quote is not closed in its line."""
    end = match_record(content, start, dialect)
    if end is None:
        return None
    if n_fields not in (None, count_fields(content[start:end].decode("utf-8", "replace"), dialect)):
        return None
    return f"{name_setting('multiline', value=True)} reads line breaks inside quotes"


def advise_header(names: list[str], lines: list[str], dialect: CsvDialect, *, n_above: int) -> str | None:
    """Return the setting that finds the header with the declared names among `lines`, which follow `n_above` others."""
    for number, line in enumerate(lines[:_N_HEADER_CANDIDATES], start=n_above):
        fields = {field.strip(' \t\r"') for field in line.split(dialect.delimiter)}
        if fields == set(names):
            return f"{name_setting('skip_lines', number)} reads the names in line {number + 1}"
    return None


def advise_cell(column: str, text: str, text_format: TextFormat, *, dialect: CsvDialect) -> str | None:
    """Return the key of the column that reads a cell which its declared form does not read; None where none does."""
    for key, value, form, words in _other_forms(text, text_format):
        cell = pa.array([text], pa.string())
        if not parse_cells(cell, form, dialect=dialect)[1].size:
            return f"data.columns.{column}.{key}: {json.dumps(value, ensure_ascii=False)} {words}"
    return None


def _other_forms(text: str, declared: TextFormat) -> Iterator[tuple[str, Any, TextFormat, str]]:
    """Yield keys with their value, the form with it, and what it does; the likelier first."""
    if declared.kind in NUMBER_PATTERNS:
        affixes = find_affixes(pa.array([text], pa.string()))
        if affixes is not None:
            form = replace(declared, strip=(*declared.strip, *affixes.texts))
            yield "strip", list(form.strip), form, "reads it"
        if declared.kind == "integer" and not _CODE.fullmatch(text):
            yield "dtype", "Float64", replace(declared, kind="float"), "reads it"
        if _CODE.fullmatch(text):
            yield "dtype", "string", TextFormat("text"), "reads it as a code"
    if declared.kind == "datetime" and (declared.format, declared.zone) == (None, None):
        yield "zone", "UTC", replace(declared, zone="UTC"), "reads it"
        readings = find_date_readings(pa.array([text], pa.string()), minimum_share=1)
        formats = [reading.text_format.format for reading in readings if reading.text_format.format is not None]
        if formats:
            others = formats[1:] if "." not in text else []
            words = "".join(f', format: "{other}"' for other in others)
            yield (
                "format",
                formats[0],
                replace(declared, format=formats[0]),
                f"reads it{words and ', as does'}{words[1:]}",
            )
    pair = next((pair for pair in _PAIRS if text.lower() in pair), None)
    if declared.kind == "boolean" and pair is not None and not declared.true_values:
        true, false = (word.upper() if text.isupper() else word.title() if text.istitle() else word for word in pair)
        form = replace(declared, true_values=(true,), false_values=(false,))
        yield "true_values", [true], form, f'with false_values: ["{false}"] reads it'
    is_word = bool(text.strip()) and not any(character.isdigit() for character in text)
    if is_word:
        yield "null_values", [text], replace(declared, null_values=(text,)), "reads it as missing"


def advise_number(
    texts: pa.Array, text_format: TextFormat, dialect: CsvDialect, *, shows_values: bool = True
) -> dict[int, str]:
    """Return, by position of an invalid number, the settings of the source that read it and all valid ones.

    Parameters
    ----------
    texts : Arrow array of strings, shape (n,)
        The cells of a column as they are in the file.
    text_format : TextFormat
        Of integers or floats.
    dialect : CsvDialect
        The declared one.
    shows_values : bool
        Whether a setting is shown with the number that it reads.
    """
    before = set(_invalid_positions(texts, text_format, dialect))
    advice: dict[int, list[str]] = {}
    for key, value in _other_settings(dialect):
        changed = dialect.model_copy(update={key: value})
        after = set(_invalid_positions(texts, text_format, changed))
        if not after <= before:
            continue
        for position in before - after:
            plain = rewrite_numbers(texts.slice(position, 1), decimal=changed.decimal, thousands=changed.thousands)
            reading = plain[0].as_py().strip(" \t") if shows_values else "it"
            advice.setdefault(position, []).append(f"{name_setting(key, value)} reads {reading}")
    return {position: ", ".join(settings) for position, settings in advice.items()}


def _other_settings(dialect: CsvDialect) -> Iterator[tuple[str, Any]]:
    if not dialect.padded:
        yield "padded", True
    for sign in (",", "."):
        if sign not in (dialect.decimal, dialect.thousands):
            yield "decimal", sign
    for sign in (",", ".", " ", "'", "_"):
        if sign not in (dialect.decimal, dialect.thousands):
            yield "thousands", sign


def _invalid_positions(texts: pa.Array, text_format: TextFormat, dialect: CsvDialect) -> list[int]:
    trimmed = pc.utf8_trim(texts, " \t") if dialect.padded else texts
    positions: list[int] = parse_cells(trimmed, text_format, dialect=dialect)[1].tolist()
    return positions
