"""Turn columns of words into typed columns by one strict grammar for each kind, and name the cells that break it."""

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

    from pipeline.schema import Kind

__all__ = ["CELL_GRAMMARS", "CellGrammar", "parse_column", "to_frame"]

_SAMPLE_ROWS = 4096
_MINUS, _ZERO = b"-0"
_IS_DIGIT = np.isin(np.arange(256), list(b"0123456789"))
_INVALID_AFTER_LEADING_ZERO = _IS_DIGIT | np.isin(np.arange(256), list(b"xX"))


@dataclass(frozen=True, slots=True)
class CellGrammar:
    """How a kind of value is written, and how it becomes one.

    `pattern` is a regular expression that a whole cell matches, None where any text will do;
    `convert` takes an Arrow array of words that match.
    """

    expected: str
    pattern: str | None
    arrow_type: pa.DataType
    convert: Callable[[pa.Array], pa.Array]
    is_number: bool = False


def _convert_integers(words: pa.Array) -> pa.Array:
    has_points = pc.any(pc.match_substring(words, ".")).as_py()
    return pc.cast(pc.replace_substring_regex(words, r"\.0+$", "") if has_points else words, pa.int64())


def _convert_floats(words: pa.Array) -> pa.Array:
    numbers = pc.cast(words, pa.float64())
    if pc.any(pc.is_inf(numbers)).as_py():
        raise pa.ArrowInvalid("beyond the range of a double")
    return numbers


def _convert_booleans(words: pa.Array) -> pa.Array:
    return pc.equal(pc.utf8_lower(words), "true")


def _convert_datetimes(words: pa.Array) -> pa.Array:
    return pc.cast(words, pa.timestamp("us"))


def _keep_text(words: pa.Array) -> pa.Array:
    return words


_TEXT_GRAMMAR = CellGrammar("any text", None, pa.string(), _keep_text)

CELL_GRAMMARS: dict[Kind, CellGrammar] = {
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


def parse_column(words: pa.Array, kind: Kind) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the values of a column and the positions of the cells that are not written as its kind asks.

    Parameters
    ----------
    words : Arrow array of strings, shape (n,)
        Null where a value is missing.
    kind : str
        A key of `GRAMMARS`.

    Returns
    -------
    values : Arrow array of the kind's type, shape (n,)
        Null where a value is missing or refused.
    refused : ndarray of int64
        Positions, ascending.
    """
    grammar = CELL_GRAMMARS[kind]
    if grammar.pattern is None:
        return words, np.empty(0, np.int64)
    if not _has_many_duplicates(words):
        return _parse_words(words, grammar)
    encoded = words.dictionary_encode()
    values, refused = _parse_words(encoded.dictionary, grammar)
    rows = _rows_with_codes(refused, encoded) if refused.size else refused
    return pc.take(values, encoded.indices), rows


def _has_many_duplicates(words: pa.Array) -> bool:
    """Whether looking at each distinct word once is worth the trouble of finding them."""
    sample = words.slice(0, _SAMPLE_ROWS)
    n_distinct: int = pc.count_distinct(sample).as_py()
    return n_distinct < len(sample) / 4


def _rows_with_codes(refused: NDArray[np.int64], encoded: pa.DictionaryArray) -> NDArray[np.int64]:
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return np.flatnonzero(np.isin(codes, refused))


def _parse_words(words: pa.Array, grammar: CellGrammar) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the values of `words`, null where one does not fit, and the positions of these."""
    if grammar.is_number and _have_plain_number_form(words) and (values := _try_convert(words, grammar)) is not None:
        return values, np.empty(0, np.int64)
    fits = pc.match_substring_regex(words, f"^(?:{grammar.pattern})$")
    if _try_convert(pc.if_else(fits, words, None), grammar) is None:
        # Well written and still no value: 2026-02-30, 1e999, a whole number beyond 64 bits. Find it one by one.
        fits = _convertible_mask(words, fits, grammar)
    refused = np.flatnonzero(~pc.fill_null(fits, fill_value=True).to_numpy(zero_copy_only=False))
    return grammar.convert(pc.if_else(fits, words, None)), refused


def _convertible_mask(words: pa.Array, fits: pa.Array, grammar: CellGrammar) -> pa.Array:
    known = pc.if_else(fits, words, None).dictionary_encode()
    words_one_by_one = (known.dictionary.slice(i, 1) for i in range(len(known.dictionary)))
    is_value = pa.array([_try_convert(word, grammar) is not None for word in words_one_by_one], pa.bool_())
    return pc.and_(fits, pc.take(is_value, known.indices))


def _try_convert(words: pa.Array, grammar: CellGrammar) -> pa.Array | None:
    try:
        return grammar.convert(words)
    except pa.ArrowInvalid:
        return None


def _have_plain_number_form(words: pa.Array) -> bool:
    """Say whether words begin and end as numbers do, so that Arrow's own conversion is as strict as the grammar.

    Arrow reads kindly `007`, `0x1F`, `5.`, `.5`, `5.e3`, `nan` and blanks around. Looking at the edges of all
    words at once costs a tenth of the regular expression, which then only judges what is not plain.
    """
    present = words.drop_null()
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
    led_by_zero = np.flatnonzero((first == _ZERO) & (starts < last))
    text = data[edges[0] : edges[-1]].tobytes()
    is_cut_at_point = (b"e" in text and b".e" in text) or (b"E" in text and b".E" in text)
    return not (is_cut_at_point or _INVALID_AFTER_LEADING_ZERO.take(data.take(starts[led_by_zero] + 1)).any())


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame whose columns keep missing values as such (Int64, Float64, boolean, string)."""
    import pandas as pd

    types = {
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(),
    }
    frame: pd.DataFrame = table.to_pandas(types_mapper=types.get)
    return frame
