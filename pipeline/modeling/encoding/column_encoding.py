"""What all encodings of a column share: their names, how missing values are replaced, and the table of methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from pipeline.lookup import LookupTable
from pipeline.modeling.encoding.float32 import FLOAT32_MAX, nearest_float32
from pipeline.schema.value_groups import MIN_GROUP_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.modeling.encoding.target_means import TrainTarget
    from pipeline.schema import Column

    Floats = NDArray[np.float64]
    Matrix = NDArray[np.float32]

__all__ = ["ENCODINGS", "ColumnEncoding", "FitContext", "FormOptions", "Scaling", "fit_scaling", "min_group_rows"]

ENCODINGS: LookupTable[type[ColumnEncoding]] = LookupTable("encode.method")


@dataclass(frozen=True, slots=True)
class FormOptions:
    """The form of the matrix that an estimator takes: the keys of group `features`, with `auto` resolved."""

    missing: Literal["native", "native_where_seen", "impute"] = "native"
    imputation: Literal["median", "mean"] = "median"
    missing_indicators: Literal["auto", "always", "never"] = "auto"
    categories: Literal["codes", "one_hot"] = "codes"
    scale: Literal["none", "standard"] = "none"

    def passes_missing(self, is_missing: NDArray[np.bool_]) -> bool:
        """Return whether missing values of a column stay NaN, from those of its train rows."""
        if self.missing == "impute" or is_missing.all():
            return False
        return self.missing == "native" or bool(is_missing.any())

    def needs_indicator(self, column: Column, *, has_missing: bool, is_replaced: bool) -> bool:
        """Return whether a column gets an indicator of its missing values."""
        is_indicated = self.missing_indicators == "always" or (
            self.missing_indicators == "auto" and is_replaced and has_missing
        )
        return is_indicated and (has_missing or column.nullable)


@dataclass(frozen=True, slots=True)
class FitContext:
    """What an encoding is fitted with: the form, the settings of the methods, and the classes of the train rows.

    `settings` holds the keys that the column itself declares; `target` is None where no classes are known.
    """

    form: FormOptions
    features: FeaturesConfig
    settings: Mapping[str, Any]
    target: TrainTarget | None


@dataclass(frozen=True, kw_only=True)
class ColumnEncoding(ABC):
    """How one column is encoded, in numbers that float32 represents exactly.

    `name` is the column, `kind` its kind. With `indicator` the last matrix column marks missing values.
    `shares_work` says that equal values are encoded once, so that dividing the rows would repeat work.
    """

    method: ClassVar[str]
    shares_work: ClassVar[bool] = False
    name: str
    kind: str
    indicator: bool = False

    @classmethod
    @abstractmethod
    def fit(cls, column: Column, values: Any, context: FitContext) -> Self:
        """Return the encoding of `column`, fitted to its train values."""

    @property
    @abstractmethod
    def value_names(self) -> tuple[str, ...]:
        """Names of the matrix columns besides the indicator."""

    @abstractmethod
    def encode(self, values: Any, out: Matrix) -> NDArray[np.bool_]:
        """Write the matrix of `values` into `out`, shape (n_rows, len(value_names)); return which are missing."""

    def encode_out_of_fold(self, values: Any, out: Matrix, *, target: TrainTarget) -> NDArray[np.bool_]:  # noqa: ARG002
        """Write the matrix of train values, in which no row is encoded with the help of its own class."""
        return self.encode(values, out)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the matrix columns that encode this column."""
        return (*self.value_names, f"{self.name}=missing") if self.indicator else self.value_names

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Return plain values from which `from_dict` builds an equal encoding."""

    @classmethod
    @abstractmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the encoding that `as_dict` wrote."""

    @property
    def common_values(self) -> dict[str, Any]:
        """The plain values of every encoding."""
        return {"method": self.method, "name": self.name, "kind": self.kind, "indicator": self.indicator}


@dataclass(frozen=True, slots=True)
class Scaling:
    """How numbers become float32: a missing one becomes `fill`, then `center` and `scale` apply; None: not done."""

    fill: float | None = None
    center: float | None = None
    scale: float | None = None

    def apply(self, numbers: Floats) -> Matrix:
        """Return float32 numbers; a missing one stays NaN unless it is filled."""
        settled = np.clip(numbers, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
        if self.fill is not None:
            settled[np.isnan(numbers)] = self.fill
        if self.center is None or self.scale is None:
            return settled
        scaled = (settled.astype(np.float64) - self.center) / self.scale
        return np.asarray(np.clip(scaled, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32))


def fit_scaling(numbers: Floats, form: FormOptions) -> Scaling:
    """Return the scaling of train numbers, which are rounded to float32.

    A missing number is filled where `form` says so, and where no other value occurs: some estimators refuse such
    columns.
    """
    is_missing = np.isnan(numbers)
    present = numbers[~is_missing]
    middle = np.mean if form.imputation == "mean" else np.median
    fill = center = scale = None
    if not form.passes_missing(is_missing):
        fill = nearest_float32(float(middle(present)) if len(present) else 0.0)
        present = np.where(np.isnan(numbers), fill, numbers)
    if form.scale == "standard":
        center = nearest_float32(float(np.mean(present)) if len(present) else 0.0)
        deviation = nearest_float32(float(np.std(present)) if len(present) else 0.0)
        scale = deviation if deviation > 0 else 1.0
    return Scaling(fill, center, scale)


def min_group_rows(column: Column, min_rows: int) -> int:
    """Return the rows that a text or an n-gram needs to be stored: in a private column never fewer than 5."""
    return max(min_rows, MIN_GROUP_ROWS) if column.is_private else min_rows
