"""Read the header of CSV text: the names of its columns, as the dialect declares them."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config.groups.source_config import CsvDialect

__all__ = ["count_fields", "parse_fields", "parse_names"]

_LINE_BREAKS = re.compile(r"\s*[\r\n]+\s*")


def parse_fields(text: str, dialect: CsvDialect) -> list[str]:
    """Return the fields of one record without its line end; none where it is empty.

    Raises
    ------
    csv.Error
        When a quote is unsound.
    """
    return next(csv.reader([text], delimiter=dialect.delimiter, strict=True), [])


def count_fields(text: str, dialect: CsvDialect) -> int:
    """Return the number of fields of a record; 0 where a quote is unsound."""
    try:
        return len(_trim_fields(parse_fields(text, dialect), dialect))
    except csv.Error:
        return 0


def parse_names(text: str, dialect: CsvDialect, *, n_fields: int) -> list[str]:
    """Return the names in a header; `n_fields` is the number of fields of the first record below it.

    Blanks around a name are removed, and a line break inside it becomes a blank. A first column without a name gets
    the declared one: its name is empty (pandas), or the header is one name short (R).

    Raises
    ------
    csv.Error
        When a quote is unsound.
    """
    names = [_LINE_BREAKS.sub(" ", name).strip() for name in parse_fields(text, dialect)]
    names = _trim_fields(names, dialect)
    if dialect.index_column is None or not names:
        return names
    if not names[0]:
        return [dialect.index_column, *names[1:]]
    return [dialect.index_column, *names] if n_fields == len(names) + 1 else names


def _trim_fields(fields: list[str], dialect: CsvDialect) -> list[str]:
    """Return the fields without the empty ones at the end, where the dialect leaves them out."""
    while dialect.trailing_delimiter and len(fields) > 1 and not fields[-1]:
        fields = fields[:-1]
    return fields
