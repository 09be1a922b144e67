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

    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.schema import TextFormat

__all__ = ["parse_cells", "rewrite_columns", "rewrite_numbers"]

_POINT, _ZERO, _MINUS = b".0-"
_GROUP_LENGTH = 3
_IS_DIGIT = np.isin(np.arange(256), list(b"0123456789"))
_SWAP_BYTES = bytes.maketrans(b",.", b".,")


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
        plain = [_rewrite_where_digits(chunk, dialect) for chunk in columns[name].chunks]
        columns[name] = pa.chunked_array(plain, pa.string())
    return pa.table(columns)


def _rewrite_where_digits(texts: pa.Array, dialect: CsvDialect) -> pa.Array:
    """Return texts with rewritten numbers; words such as `k.A.` remain as in the file."""
    plain = rewrite_numbers(texts, decimal=dialect.decimal, thousands=dialect.thousands)
    return pc.if_else(pc.match_substring_regex(texts, "[0-9]"), plain, texts)


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
    variants = GROUP_SIGNS[thousands].removeprefix("\\")
    if len(variants) > 1 and not pc.all(pc.string_is_ascii(texts)).as_py():
        unified = pc.replace_substring_regex(texts, f"[{variants[1:]}]", thousands)
        joined = _join_all_groups(unified, thousands)
        return pc.if_else(pc.equal(joined, unified), texts, joined)
    return _join_all_groups(texts, thousands)


def _join_all_groups(texts: pa.Array, sign: str) -> pa.Array:
    joined = _join_sound_groups(texts, ord(sign))
    return _join_groups(texts, sign) if joined is None else joined


def _join_sound_groups(texts: pa.Array, sign: int) -> pa.Array | None:
    """Return numbers without signs between groups; None if a sign anywhere is not between groups of a plain number."""
    _, offsets, content = texts.buffers()
    if content is None:
        return texts
    edges = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    text = content[int(edges[0]) : int(edges[-1])].to_pybytes()
    edges -= edges[0]
    data = np.frombuffer(text + b"\0\0\0\0", np.uint8)
    signs = np.flatnonzero(data == sign)
    if not signs.size:
        return texts
    n_before = np.searchsorted(signs, edges)
    cells = np.repeat(np.arange(len(texts)), np.diff(n_before))
    starts, ends = edges[cells], edges[cells + 1]
    starts = starts + (data[starts] == _MINUS)
    is_later = np.append(False, cells[1:] == cells[:-1])
    follows_group = np.append(False, np.diff(signs) == _GROUP_LENGTH + 1)
    n_leading = signs - starts
    is_leading = (n_leading >= 1) & (n_leading <= _GROUP_LENGTH) & _IS_DIGIT[data[starts]] & (data[starts] != _ZERO)
    is_leading &= _IS_DIGIT[data[signs - 1]] & ((n_leading < _GROUP_LENGTH) | _IS_DIGIT[data[signs - 2]])
    behind = np.minimum(signs + _GROUP_LENGTH + 1, len(text))
    is_closed = (behind == ends) | (data[behind] == sign) | (data[behind] == _POINT)
    has_group = _IS_DIGIT[data[signs + 1]] & _IS_DIGIT[data[signs + 2]] & _IS_DIGIT[data[signs + 3]] & (behind <= ends)
    if not (np.where(is_later, follows_group, is_leading) & has_group & is_closed).all():
        return None
    is_left = np.ones(len(text), bool)
    is_left[signs] = False
    plain = data[: len(text)][is_left]
    new_edges = (edges - n_before).astype(np.int32)
    values = pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(new_edges), pa.py_buffer(plain)])
    return pc.if_else(texts.is_valid(), values, None) if texts.null_count else values


def _join_groups(texts: pa.Array, sign: str) -> pa.Array:
    """Return numbers without signs between groups, one by one; another text stays."""
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
    swapped = content.to_pybytes().translate(_SWAP_BYTES)
    return pa.Array.from_buffers(
        texts.type, len(texts), [validity, offsets, pa.py_buffer(swapped)], texts.null_count, texts.offset
    )
