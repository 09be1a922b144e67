"""Encode declared categories as positions or as one column each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from pipeline.modeling.encoding.column_encoding import ENCODINGS, ColumnEncoding, min_group_rows
from pipeline.schema.column_values import factorize_texts, to_float64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipeline.modeling.encoding.column_encoding import FitContext, Floats, Matrix
    from pipeline.schema import Column

__all__ = ["CategoryCodes", "OneHotCategories"]

_Codes = TypeVar("_Codes", bound="CategoryCodes")


@ENCODINGS.add("codes")
@dataclass(frozen=True, kw_only=True)
class CategoryCodes(ColumnEncoding):
    """The position of a category in the declared list; booleans are 0 and 1.

    An undeclared category gets the position behind the last. `missing_code` is the number of a missing value,
    None where it stays NaN.

    In an open column, `rare` are the listed words with too few train rows to learn from; they count as undeclared.
    Where no train row has such a word, `other_code` is the position of the most frequent word: nothing shows what the
    position behind the last means.
    """

    method = "codes"
    categories: tuple[str, ...] = ()
    missing_code: float | None = None
    rare: tuple[str, ...] = ()
    other_code: float | None = None

    @classmethod
    def fit(cls, column: Column, values: Any, context: FitContext) -> Self:
        """Find out whether training has missing values, and others."""
        listed = cls(name=column.name, kind=column.kind, categories=column.categories)
        unfitted = _fit_other(listed, column, values, context)
        is_missing = np.isnan(unfitted.codes(values))
        form = context.form
        is_coded = cls.method == "codes" and (form.categories == "codes" or column.kind == "category")
        missing_code = None if form.passes_missing(is_missing) else -1.0 if is_coded else 0.0
        is_replaced = cls.method == "one_hot" or form.missing == "impute"
        return replace(
            unfitted,
            missing_code=missing_code,
            indicator=form.needs_indicator(
                column, has_missing=bool(is_missing.any()), is_replaced=is_replaced and missing_code != -1.0
            ),
        )

    @property
    def value_names(self) -> tuple[str, ...]:
        """The name of the column."""
        return (self.name,)

    def encode(self, values: Any, out: Matrix) -> NDArray[np.bool_]:
        """Write one column."""
        codes = self.codes(values)
        is_missing = np.isnan(codes)
        if self.missing_code is not None:
            codes = np.where(is_missing, self.missing_code, codes)
        out[:, 0] = codes
        return is_missing

    def codes(self, values: Any) -> Floats:
        """Return the position of each value, NaN where it is missing."""
        if self.kind == "boolean":
            return to_float64(values)
        code_of, unknown = self._code_of, self._unknown_code
        if not hasattr(values, "factorize") and not hasattr(values, "dictionary_encode"):
            return np.array([np.nan if value is None else code_of.get(value, unknown) for value in values])
        positions, distinct = factorize_texts(values)
        return np.array([*(code_of.get(value, unknown) for value in distinct), np.nan])[positions]

    @cached_property
    def _code_of(self) -> dict[Any, float]:
        listed = {category: float(code) for code, category in enumerate(self.categories)}
        return {**listed, **dict.fromkeys(self.rare, self._unknown_code)}

    @property
    def _unknown_code(self) -> float:
        return float(len(self.categories)) if self.other_code is None else self.other_code

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **self.common_values,
            "categories": list(self.categories),
            "missing_code": self.missing_code,
            "rare": list(self.rare),
            "other_code": self.other_code,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the encoding that `as_dict` wrote."""
        return cls(**{**value, "categories": tuple(value["categories"]), "rare": tuple(value["rare"])})


def _fit_other(unfitted: _Codes, column: Column, values: Any, context: FitContext) -> _Codes:
    """Return the encoding of a column with the words that train as `other`, or with the code that replaces it."""
    if not column.accepts_unseen:
        return unfitted
    codes = unfitted.codes(values)
    counts = np.bincount(codes[~np.isnan(codes)].astype(np.intp), minlength=len(column.categories) + 1)
    min_rows = min_group_rows(column, context.features.words.min_rows)
    rare = tuple(word for word, n in zip(column.categories, counts[:-1], strict=True) if n < min_rows)
    n_other = len(codes) - int(np.isnan(codes).sum()) - int(counts[:-1][counts[:-1] >= min_rows].sum())
    has_code = n_other > 0 or unfitted.method == "one_hot"
    return replace(unfitted, rare=rare, other_code=None if has_code else float(counts.argmax()))


@ENCODINGS.add("one_hot")
@dataclass(frozen=True, kw_only=True)
class OneHotCategories(CategoryCodes):
    """One column for each declared category; undeclared, rare and missing ones are zeros."""

    method = "one_hot"

    @property
    def value_names(self) -> tuple[str, ...]:
        """A name for each category."""
        return tuple(f"{self.name}={category}" for category in self.categories)

    def encode(self, values: Any, out: Matrix) -> NDArray[np.bool_]:
        """Write a column for each category."""
        codes = self.codes(values)
        for code in range(len(self.categories)):
            out[:, code] = codes == code
        return np.isnan(codes)
