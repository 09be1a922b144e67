"""The values of a column in the form that operations of expressions take: float64, microseconds or coded words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.schema.column_values import factorize_texts, to_float64, to_moments

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
        positions, distinct = factorize_texts(values)
        return Words(positions, tuple(distinct))
    if kind == "datetime":
        return np.ascontiguousarray(to_moments(values).astype("datetime64[us]").astype(np.int64))
    return np.ascontiguousarray(to_float64(values))
