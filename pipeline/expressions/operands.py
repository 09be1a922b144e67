"""The values of a column in the form that operations of expressions take: float64, microseconds or coded words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.schema.column_kinds import ColumnKind

    Floats = NDArray[np.float64]
    Moments = NDArray[np.int64]

__all__ = ["NO_MOMENT", "ValueType", "Words", "to_operand", "value_type"]

ValueType = Literal["number", "boolean", "moment", "text"]

NO_MOMENT = np.iinfo(np.int64).min  # what numpy's NaT is as an integer
_TYPES: dict[ColumnKind, ValueType] = {
    "integer": "number",
    "float": "number",
    "boolean": "boolean",
    "category": "text",
    "text": "text",
    "datetime": "moment",
}


@dataclass(frozen=True, slots=True)
class Words:
    """Texts as positions in a list of distinct ones; -1 where the value is missing."""

    codes: NDArray[np.intp]
    distinct: tuple[str, ...]
    _tables: dict[object, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.codes)

    def lookup(self, key: object, number_of: Callable[[str], float]) -> Floats:
        """Return a number for each value, NaN where missing; equal keys mean equal functions."""
        if key not in self._tables:
            self._tables[key] = np.array([*map(number_of, self.distinct), np.nan], dtype=np.float64)
        return np.asarray(self._tables[key][self.codes], dtype=np.float64)

    def take(self, rows: slice) -> Words:
        """Return the words of some rows; they share the list and what was looked up."""
        return Words(self.codes[rows], self.distinct, self._tables)


def value_type(kind: ColumnKind) -> ValueType:
    """Return the type that values of a column of this kind have in an expression."""
    return _TYPES[kind]


def to_operand(kind: ColumnKind, values: Any) -> Floats | Moments | Words:
    """Return the values of a column (a list, a Series or an Arrow array) as an operand.

    Numbers and booleans become float64: NaN where missing; false is 0, true is 1. Moments become
    microseconds since 1970, `NO_MOMENT` where missing.

    Raises
    ------
    TypeError, ValueError
        When values are not of the kind.
    """
    if kind in ("category", "text"):
        return _to_words(values)
    if kind == "datetime":
        return _to_moments(values)
    return _to_numbers(values)


def _to_numbers(values: Any) -> Floats:
    if isinstance(values, np.ndarray) and values.dtype == np.float64:
        return np.ascontiguousarray(values)
    if hasattr(values, "dictionary_encode"):
        return np.array(values.cast("float64", safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    if hasattr(values, "to_numpy"):
        return np.ascontiguousarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _to_moments(values: Any) -> Moments:
    if hasattr(values, "dictionary_encode"):
        moments = values.cast("timestamp[us]").to_numpy(zero_copy_only=False)
    elif hasattr(values, "to_numpy"):
        moments = values.to_numpy(dtype="datetime64[us]")
    else:
        moments = np.array(["NaT" if value is None else value for value in values], dtype="datetime64[us]")
    return np.ascontiguousarray(moments).astype("datetime64[us]").astype(np.int64)


def _to_words(values: Any) -> Words:
    if hasattr(values, "dictionary_encode"):
        encoded = values.dictionary_encode()
        encoded = encoded.combine_chunks() if hasattr(encoded, "combine_chunks") else encoded
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Words(codes.astype(np.intp), tuple(encoded.dictionary.to_pylist()))
    if hasattr(values, "factorize"):
        codes, distinct = values.factorize()
        return Words(codes.astype(np.intp), tuple(distinct))
    code_of: dict[str, int] = {}
    codes = [-1 if _is_missing(value) else code_of.setdefault(value, len(code_of)) for value in values]
    return Words(np.array(codes, dtype=np.intp), tuple(code_of))


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - only NaN differs from itself
