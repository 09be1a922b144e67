"""Encode declared categories as positions or as one column each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pipeline.modeling.encoding.column_encoding import ENCODINGS, ColumnEncoding
from pipeline.modeling.encoding.values import factorize_texts, to_float64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipeline.modeling.encoding.column_encoding import FitContext, Floats, Matrix
    from pipeline.schema import Column

__all__ = ["CategoryCodes", "OneHotCategories"]


@ENCODINGS.add("codes")
@dataclass(frozen=True, kw_only=True)
class CategoryCodes(ColumnEncoding):
    """The position of a category in the declared list; booleans are 0 and 1.

    An undeclared category gets the position behind the last. So do the `rare` ones of a column that accepts other
    words: in training they show what another word means. `missing_code` is the number of a missing value,
    None where it stays NaN.
    """

    method = "codes"
    categories: tuple[str, ...] = ()
    missing_code: float | None = None
    rare: tuple[str, ...] = ()

    @classmethod
    def fit(cls, column: Column, values: Any, context: FitContext) -> Self:
        """Find out whether training has missing values, and others."""
        unfitted = cls(name=column.name, kind=column.kind, categories=column.categories)
        is_missing = np.isnan(unfitted.codes(values))
        form = context.form
        is_native = form.missing == "native" and not is_missing.all()
        is_coded = cls.method == "codes" and (form.categories == "codes" or column.kind == "category")
        missing_code = None if is_native else -1.0 if is_coded else 0.0
        is_replaced = cls.method == "one_hot" or form.missing == "impute"
        return cls(
            name=column.name,
            kind=column.kind,
            categories=column.categories,
            missing_code=missing_code,
            rare=_rare_categories(column, unfitted.codes(values), context.features.words.min_rows),
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
        code_of, unknown = self._code_of, float(len(self.categories))
        if not hasattr(values, "factorize") and not hasattr(values, "dictionary_encode"):
            return np.array([np.nan if value is None else code_of.get(value, unknown) for value in values])
        positions, distinct = factorize_texts(values)
        return np.array([*(code_of.get(value, unknown) for value in distinct), np.nan])[positions]

    @cached_property
    def _code_of(self) -> dict[Any, float]:
        unknown = float(len(self.categories))
        return {
            category: unknown if category in self.rare else float(code) for code, category in enumerate(self.categories)
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **self.common_values,
            "categories": list(self.categories),
            "missing_code": self.missing_code,
            "rare": list(self.rare),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the encoding that `as_dict` wrote."""
        return cls(**{**value, "categories": tuple(value["categories"]), "rare": tuple(value["rare"])})


@ENCODINGS.add("one_hot")
@dataclass(frozen=True, kw_only=True)
class OneHotCategories(CategoryCodes):
    """One column for each declared category; undeclared and missing ones are zeros."""

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


def _rare_categories(column: Column, codes: Floats, min_rows: int) -> tuple[str, ...]:
    """Return the categories of fewer than `min_rows` train rows, where the column accepts other words."""
    if not column.accepts_unseen:
        return ()
    counts = np.bincount(codes[~np.isnan(codes)].astype(np.int64), minlength=len(column.categories) + 1)
    return tuple(category for category, n in zip(column.categories, counts, strict=False) if n < min_rows)
