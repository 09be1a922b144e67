"""Parse columns of texts into typed columns, by the declared form of their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.moment_parsers import datetime_values, duration_values, numbers_to_datetimes
from pipeline.schema.datetime_format import FIRST_MOMENT_US
from pipeline.schema.text_format import NUMBER_PATTERNS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import ColumnKind, TextFormat

__all__ = ["ARROW_TYPES", "parse_column", "to_frame"]

ARROW_TYPES: dict[ColumnKind, pa.DataType] = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "datetime": pa.timestamp("us"),
    "category": pa.string(),
    "text": pa.string(),
}
# Numbers are parsed faster than they are counted; other texts are worth a look at more of them.
_SAMPLE_ROWS, _LARGE_SAMPLE_ROWS = 4096, 65_536
_MINUS, _ZERO = b"-0"
_IS_DIGIT = np.isin(np.arange(256), list(b"0123456789"))
_INVALID_AFTER_LEADING_ZERO = _IS_DIGIT | np.isin(np.arange(256), list(b"xX"))
# Any integer with fewer characters fits 64 bits.
_SAFE_INTEGER_LENGTH = 18
_INT64 = range(-(2**63), 2**63)


def parse_column(texts: pa.Array, text_format: TextFormat) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the values of a column, and the positions of the cells that are no valid texts of it.

    Values and validity of a cell equal those of `TextFormat.parse`.

    Parameters
    ----------
    texts : Arrow array of strings, shape (n,)
        Null where a value is missing.
    text_format : TextFormat
        Kind and declared form of the texts.

    Returns
    -------
    values : Arrow array of the kind's type, shape (n,)
        Null where a value is missing or invalid.
    invalid : ndarray of int64
        Positions, ascending.
    """
    if text_format.null_values:
        is_missing = pc.is_in(texts, value_set=pa.array(text_format.null_values, pa.string()))
        texts = pc.if_else(is_missing, None, texts)
    if text_format.kind in ("category", "text"):
        return texts, np.empty(0, np.int64)
    convert = _CONVERTERS[text_format.kind]
    is_plain_number = text_format.kind in ("integer", "float") and not text_format.has_own_form
    if not _has_many_duplicates(texts, _SAMPLE_ROWS if is_plain_number else _LARGE_SAMPLE_ROWS):
        values = convert(texts, text_format)
        return values, _invalid_positions(texts, values)
    encoded = texts.dictionary_encode()
    distinct = convert(encoded.dictionary, text_format)
    invalid_codes = _invalid_positions(encoded.dictionary, distinct)
    rows = _rows_with_codes(invalid_codes, encoded) if invalid_codes.size else invalid_codes
    return pc.take(distinct, encoded.indices), rows


def _invalid_positions(texts: pa.Array, values: pa.Array) -> NDArray[np.int64]:
    if values.null_count == texts.null_count:
        return np.empty(0, np.int64)
    is_invalid = pc.and_(values.is_null(), texts.is_valid())
    return np.flatnonzero(is_invalid.to_numpy(zero_copy_only=False))


def _has_many_duplicates(texts: pa.Array, n_rows: int) -> bool:
    """Whether parsing each distinct text once is faster than parsing every text."""
    sample = texts.slice(0, n_rows)
    n_distinct: int = pc.count_distinct(sample).as_py()
    return n_distinct < len(sample) / 4


def _rows_with_codes(invalid_codes: NDArray[np.int64], encoded: pa.DictionaryArray) -> NDArray[np.int64]:
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return np.flatnonzero(np.isin(codes, invalid_codes))


def _matching(texts: pa.Array, pattern: str) -> pa.Array:
    """Return the texts that match a pattern as a whole, null in place of the others."""
    return pc.if_else(pc.match_substring_regex(texts, f"^(?:{pattern})$"), texts, None)


def _without_affixes(texts: pa.Array, text_format: TextFormat) -> pa.Array:
    if not text_format.strip:
        return texts
    return pc.replace_substring_regex(texts, f"^{text_format.affix_pattern}$", r"\1\2")


def _integer_values(texts: pa.Array, text_format: TextFormat) -> pa.Array:
    numbers = _without_affixes(texts, text_format)
    if _have_plain_number_form(numbers) and (values := _try_cast(numbers, pa.int64())) is not None:
        return values
    numbers = pc.replace_substring_regex(_matching(numbers, NUMBER_PATTERNS["integer"]), r"\.0+$", "")
    is_long = pc.fill_null(pc.greater(pc.binary_length(numbers), _SAFE_INTEGER_LENGTH), fill_value=False)
    if pc.any(is_long).as_py():
        long_numbers = numbers.filter(is_long).to_pylist()
        fits = pa.array([int(text) in _INT64 for text in long_numbers], pa.bool_())
        numbers = pc.replace_with_mask(numbers, is_long, pc.if_else(fits, numbers.filter(is_long), None))
    return pc.cast(numbers, pa.int64())


def _float_values(texts: pa.Array, text_format: TextFormat) -> pa.Array:
    numbers = _without_affixes(texts, text_format)
    values = _try_cast(numbers, pa.float64()) if _have_plain_number_form(numbers) else None
    if values is None:
        values = pc.cast(_matching(numbers, NUMBER_PATTERNS["float"]), pa.float64())
    if pc.any(pc.is_inf(values)).as_py():
        values = pc.if_else(pc.is_inf(values), None, values)
    return pc.coalesce(values, duration_values(texts)) if text_format.is_duration else values


def _boolean_values(texts: pa.Array, text_format: TextFormat) -> pa.Array:
    words = text_format.words
    codes = pc.index_in(texts, value_set=pa.array(list(words), pa.string()))
    return pc.take(pa.array(list(words.values()), pa.bool_()), codes)


def _datetime_values(texts: pa.Array, text_format: TextFormat) -> pa.Array:
    forms = text_format.datetime_forms
    if not text_format.is_declared and (plain := _plain_iso_values(texts, forms[0].pattern)) is not None:
        return plain
    values = pa.nulls(len(texts), pa.timestamp("us"))
    if text_format.is_epoch:
        numbers = pc.cast(_matching(texts, NUMBER_PATTERNS["float"]), pa.float64())
        values = numbers_to_datetimes(numbers, str(text_format.format))
    for form in forms:
        left = pc.if_else(values.is_null(), texts, None)
        if left.null_count == len(left):
            break
        values = pc.coalesce(values, datetime_values(left, form))
    return values


def _plain_iso_values(texts: pa.Array, pattern: str) -> pa.Array | None:
    """Return moments without offsets by Arrow's own conversion; None where one of them needs the full parser."""
    values = _try_cast(_matching(texts, pattern), pa.timestamp("us"))
    earliest = None if values is None else pc.min(values).cast(pa.int64()).as_py()
    return None if earliest is not None and earliest < FIRST_MOMENT_US else values


_CONVERTERS: dict[ColumnKind, Callable[[pa.Array, TextFormat], pa.Array]] = {
    "integer": _integer_values,
    "float": _float_values,
    "boolean": _boolean_values,
    "datetime": _datetime_values,
}


def _try_cast(texts: pa.Array, arrow_type: pa.DataType) -> pa.Array | None:
    try:
        return pc.cast(texts, arrow_type)
    except pa.ArrowInvalid:
        return None


def _have_plain_number_form(texts: pa.Array) -> bool:
    """Whether texts begin and end as numbers do, so that Arrow's own conversion is as strict as the grammar.

    Arrow also accepts `007`, `0x1F`, `nan` and surrounding blanks. Testing the first and last
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
    return not _INVALID_AFTER_LEADING_ZERO.take(data.take(starts[has_leading_zero] + 1)).any()


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
