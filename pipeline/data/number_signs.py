"""Read numbers with the decimal sign and the groups of three digits that a dialect declares."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import parse_column
from pipeline.schema.signed_numbers import GROUP_SIGNS, SWAPPED_SIGNS
from pipeline.schema.text_format import NUMBER_PATTERNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.config.groups.data_config import CsvDialect
    from pipeline.schema import TextFormat

__all__ = ["parse_cells", "rewrite_columns", "rewrite_numbers"]

_POINT, _COMMA = b".,"
_SWAP_SIGNS = np.arange(256, dtype=np.uint8)
_SWAP_SIGNS[[_POINT, _COMMA]] = _COMMA, _POINT


def parse_cells(texts: pa.Array, text_format: TextFormat, *, dialect: CsvDialect) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the values of a column of a CSV file, and the positions of its invalid cells, as `parse_column` does."""
    if text_format.kind not in NUMBER_PATTERNS or (dialect.decimal, dialect.thousands) == (".", None):
        return parse_column(texts, text_format)
    plain = rewrite_numbers(texts, decimal=dialect.decimal, thousands=dialect.thousands)
    if text_format.null_values:
        is_missing = pc.is_in(texts, value_set=pa.array(text_format.null_values, pa.string()))
        plain = pc.if_else(is_missing, None, plain)
    if dialect.decimal == ",":
        strip = tuple(text.translate(SWAPPED_SIGNS) for text in text_format.strip)
        text_format = replace(text_format, strip=strip, null_values=())
    return parse_column(plain, text_format)


def rewrite_columns(table: pa.Table, names: Sequence[str], *, dialect: CsvDialect) -> pa.Table:
    """Return a table of texts with plain numbers in the columns `names`."""
    columns = dict(zip(table.column_names, table.columns, strict=True))
    for name in names:
        plain = [
            rewrite_numbers(chunk, decimal=dialect.decimal, thousands=dialect.thousands)
            for chunk in columns[name].chunks
        ]
        columns[name] = pa.chunked_array(plain, pa.string())
    return pa.table(columns)


def rewrite_numbers(texts: pa.Array, *, decimal: str, thousands: str | None) -> pa.Array:
    """Return numbers as texts with a decimal point and without signs between groups.

    A text that is not written in these signs, such as 1.5 where the decimal sign is a comma, becomes a text that is
    no number; a text without any sign stays. 1,100 in groups is 1100; 1,10 and 11,00 are no numbers. Texts around the
    digits, such as a currency, stay.

    Parameters
    ----------
    texts : Arrow array of strings, shape (n,)
        Null where a value is missing.
    decimal : str
        Comma or point.
    thousands : str or None
        Sign between groups; None where there are none.
    """
    if decimal == ",":
        texts = _swap_points_and_commas(texts)
        thousands = {".": ","}.get(thousands or "", thousands)
    if thousands is None or not len(texts):
        return texts
    sign = GROUP_SIGNS[thousands]
    has_sign = pc.match_substring_regex(texts, f"[{sign}]")
    if not pc.any(has_sign).as_py():
        return texts
    number = f"[1-9][0-9]{{0,2}}([{sign}][0-9]{{3}})+(\\.[0-9]+)?"
    grouped = pc.match_substring_regex(texts, f"^[^0-9]*{number}[^0-9]*$")
    # Matches do not overlap, so that the second pass finds each second sign.
    between = f"([0-9])[{sign}]([0-9]{{3}})"
    joined = pc.replace_substring_regex(texts, between, r"\1\2")
    return pc.if_else(grouped, pc.replace_substring_regex(joined, between, r"\1\2"), texts)


def _swap_points_and_commas(texts: pa.Array) -> pa.Array:
    if not len(texts):
        return texts
    validity, offsets, content = texts.buffers()
    if content is None:
        return texts
    swapped = _SWAP_SIGNS.take(np.frombuffer(content, np.uint8))
    return pa.Array.from_buffers(
        texts.type, len(texts), [validity, offsets, pa.py_buffer(swapped)], texts.null_count, texts.offset
    )
