"""Recognize columns that identify rows: keys by name, row numbers, ascending integers in front, long random codes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from pipeline.schema import ColumnKind

__all__ = ["id_reason"]

_MIN_ROWS = 20
# Keys of rows, people and things; a key of people may repeat.
_ID_NAME = re.compile(
    r"(?i:(.*[^a-z])?(id|uuid|guid|key|index|pk))|.*[a-z](Id|ID|Key|Index)|(?i:row_?(names?|num(ber)?|no|nr))"
)
_ROW_NAME = re.compile(r"(?i:|x|x1|no|nr|num|number|obs|seqn?|caseid|case|rank|unnamed.*)")
_MIN_UNIQUE_SHARE = 0.5
_RANDOM_CODE = r"^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-fA-F]{16,})$"


def id_reason(name: str, kind: ColumnKind, values: pa.Array, *, is_first: bool) -> str | None:
    """Return why a column identifies rows, as a phrase; None where it does not.

    Parameters
    ----------
    name : str
        Name of the column.
    kind : str
        Kind of its values; numbers with decimals, dates and booleans identify nothing.
    values : Arrow array
        Values in the order of the rows, null where one is missing.
    is_first : bool
        Whether it is the first column of the file.
    """
    if kind not in ("integer", "category", "text") or not len(values):
        return None
    present = values.drop_null()
    n_distinct = pc.count_distinct(present).as_py()
    is_unique = n_distinct == len(values)
    if _ID_NAME.fullmatch(name):
        return _reason_by_name(kind, present, n_distinct, is_unique=is_unique)
    if len(values) < _MIN_ROWS:
        return None
    if kind == "integer":
        return _reason_of_integers(name, values, is_first=is_first) if is_unique else None
    return _reason_of_texts(present, n_distinct, is_unique=is_unique, is_first=is_first)


def _reason_by_name(kind: ColumnKind, present: pa.Array, n_distinct: int, *, is_unique: bool) -> str | None:
    if is_unique:
        return "its name is that of a key, and each value is unique"
    if len(present) < _MIN_ROWS or n_distinct < _MIN_UNIQUE_SHARE * len(present):
        return None
    noun = "numbers" if kind == "integer" else "texts"
    return f"its name is that of a key, and {n_distinct:,} {noun} occur in {len(present):,} rows"


def _reason_of_integers(name: str, values: pa.Array, *, is_first: bool) -> str | None:
    numbers = values.to_numpy(zero_copy_only=False).astype(np.int64)
    span = int(numbers.max()) - int(numbers.min())
    if span == len(numbers) - 1:
        return "whole numbers without gaps, each once: numbers of rows"
    steps = np.diff(numbers)
    if (steps > 0).all() and (is_first or _ROW_NAME.fullmatch(name)):
        where = "in the first column" if is_first else "in a column of this name"
        return f"ascending whole numbers {where}, each once; role: feature makes them a measure"
    return None


def _reason_of_texts(present: pa.Array, n_distinct: int, *, is_unique: bool, is_first: bool) -> str | None:
    is_random = pc.all(pc.match_substring_regex(present.slice(0, 1000), _RANDOM_CODE)).as_py()
    if is_random and n_distinct >= _MIN_UNIQUE_SHARE * len(present):
        return "random codes, such as a UUID or a hash"
    if is_unique and is_first and not pc.any(pc.match_substring(present, " ")).as_py():
        return "unique texts without blanks in the first column"
    return None
