"""Parse columns of texts into typed columns, by a strict grammar for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import ColumnKind

__all__ = ["CELL_GRAMMARS", "CellGrammar", "parse_column", "to_frame"]

_SAMPLE_ROWS = 4096
_MINUS, _ZERO = b"-0"
_IS_DIGIT = np.isin(np.arange(256), list(b"0123456789"))
_INVALID_AFTER_LEADING_ZERO = _IS_DIGIT | np.isin(np.arange(256), list(b"xX"))


@dataclass(frozen=True, slots=True)
class CellGrammar:
    """The text form of a kind of value, and its conversion.

    `pattern` is a regular expression that the whole cell matches, None where any text is valid. `convert` takes
    an Arrow array of matching texts.
    """

    expected: str
    pattern: str | None
    arrow_type: pa.DataType
    convert: Callable[[pa.Array], pa.Array]
    is_number: bool = False


def _convert_integers(texts: pa.Array) -> pa.Array:
    has_points = pc.any(pc.match_substring(texts, ".")).as_py()
    return pc.cast(pc.replace_substring_regex(texts, r"\.0+$", "") if has_points else texts, pa.int64())


def _convert_floats(texts: pa.Array) -> pa.Array:
    numbers = pc.cast(texts, pa.float64())
    if pc.any(pc.is_inf(numbers)).as_py():
        raise pa.ArrowInvalid("beyond the range of a double")
    return numbers


def _convert_booleans(texts: pa.Array) -> pa.Array:
    return pc.equal(pc.utf8_lower(texts), "true")


def _convert_datetimes(texts: pa.Array) -> pa.Array:
    return pc.cast(texts, pa.timestamp("us"))


def _keep_text(texts: pa.Array) -> pa.Array:
    return texts


_TEXT_GRAMMAR = CellGrammar("any text", None, pa.string(), _keep_text)

CELL_GRAMMARS: dict[ColumnKind, CellGrammar] = {
    "integer": CellGrammar(
        "a whole number such as 7, -7 or 7.0, without leading zeros",
        r"-?(0|[1-9][0-9]*)(\.0+)?",
        pa.int64(),
        _convert_integers,
        is_number=True,
    ),
    "float": CellGrammar(
        "a number such as 7, -0.5 or 1.5e-3, with a decimal point",
        r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?",
        pa.float64(),
        _convert_floats,
        is_number=True,
    ),
    "boolean": CellGrammar("true or false", r"true|True|TRUE|false|False|FALSE", pa.bool_(), _convert_booleans),
    "datetime": CellGrammar(
        "a date or a moment such as 2026-01-31 or 2026-01-31T18:30:00, without a zone",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?",
        pa.timestamp("us"),
        _convert_datetimes,
    ),
    "category": _TEXT_GRAMMAR,
    "text": _TEXT_GRAMMAR,
}


def parse_column(texts: pa.Array, kind: ColumnKind) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the values of a column, and the positions of the cells that are not valid texts of its kind.

    Parameters
    ----------
    texts : Arrow array of strings, shape (n,)
        Null where a value is missing.
    kind : str
        A key of `CELL_GRAMMARS`.

    Returns
    -------
    values : Arrow array of the kind's type, shape (n,)
        Null where a value is missing or invalid.
    invalid : ndarray of int64
        Positions, ascending.
    """
    grammar = CELL_GRAMMARS[kind]
    if grammar.pattern is None:
        return texts, np.empty(0, np.int64)
    if not _has_many_duplicates(texts):
        return _parse_texts(texts, grammar)
    encoded = texts.dictionary_encode()
    values, invalid = _parse_texts(encoded.dictionary, grammar)
    rows = _rows_with_codes(invalid, encoded) if invalid.size else invalid
    return pc.take(values, encoded.indices), rows


def _has_many_duplicates(texts: pa.Array) -> bool:
    """Whether parsing each distinct text once is faster than parsing every text."""
    sample = texts.slice(0, _SAMPLE_ROWS)
    n_distinct: int = pc.count_distinct(sample).as_py()
    return n_distinct < len(sample) / 4


def _rows_with_codes(invalid_codes: NDArray[np.int64], encoded: pa.DictionaryArray) -> NDArray[np.int64]:
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return np.flatnonzero(np.isin(codes, invalid_codes))


def _parse_texts(texts: pa.Array, grammar: CellGrammar) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the values of `texts`, null where a text is invalid, and the positions of the invalid ones."""
    if grammar.is_number and _have_plain_number_form(texts) and (values := _try_convert(texts, grammar)) is not None:
        return values, np.empty(0, np.int64)
    fits = pc.match_substring_regex(texts, f"^(?:{grammar.pattern})$")
    if _try_convert(pc.if_else(fits, texts, None), grammar) is None:
        # A text matches and has no value: 2026-02-30, 1e999, an integer beyond 64 bits. Convert one by one.
        fits = _convertible_mask(texts, fits, grammar)
    invalid = np.flatnonzero(~pc.fill_null(fits, fill_value=True).to_numpy(zero_copy_only=False))
    return grammar.convert(pc.if_else(fits, texts, None)), invalid


def _convertible_mask(texts: pa.Array, fits: pa.Array, grammar: CellGrammar) -> pa.Array:
    distinct = pc.if_else(fits, texts, None).dictionary_encode()
    single_texts = (distinct.dictionary.slice(i, 1) for i in range(len(distinct.dictionary)))
    is_value = pa.array([_try_convert(text, grammar) is not None for text in single_texts], pa.bool_())
    return pc.and_(fits, pc.take(is_value, distinct.indices))


def _try_convert(texts: pa.Array, grammar: CellGrammar) -> pa.Array | None:
    try:
        return grammar.convert(texts)
    except pa.ArrowInvalid:
        return None


def _have_plain_number_form(texts: pa.Array) -> bool:
    """Whether texts begin and end as numbers do, so that Arrow's own conversion is as strict as the grammar.

    Arrow also accepts `007`, `0x1F`, `5.`, `.5`, `5.e3`, `nan` and surrounding blanks. Testing the first and last
    characters of all texts takes a tenth of the time of the regular expression, which then tests the others.
    """
    present = texts.drop_null()
    if not len(present):
        return True
    _, offsets, content = present.buffers()
    edges = np.frombuffer(offsets, np.int32)[present.offset : present.offset + len(present) + 1].astype(np.intp)
    data = np.frombuffer(content, np.uint8)
    starts, last = edges[:-1], edges[1:] - 1
    if (starts > last).any():
        return False
    first = data.take(starts)
    is_signed = first == _MINUS
    if is_signed.any():
        starts = np.minimum(starts + is_signed, last)
        first = data.take(starts)
    if not (_IS_DIGIT.take(first).all() and _IS_DIGIT.take(data.take(last)).all()):
        return False
    has_leading_zero = np.flatnonzero((first == _ZERO) & (starts < last))
    text = data[edges[0] : edges[-1]].tobytes()
    is_cut_at_point = (b"e" in text and b".e" in text) or (b"E" in text and b".E" in text)
    return not (is_cut_at_point or _INVALID_AFTER_LEADING_ZERO.take(data.take(starts[has_leading_zero] + 1)).any())


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame of nullable dtypes (Int64, Float64, boolean, string)."""
    import pandas as pd

    types = {
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(),
    }
    frame: pd.DataFrame = table.to_pandas(types_mapper=types.get)
    return frame
