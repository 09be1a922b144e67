"""Encode numbers: as they are, as signed logarithms, or as the number of their quantile bin."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pipeline.modeling.encoding.column_encoding import ENCODINGS, ColumnEncoding, Scaling, fit_scaling
from pipeline.modeling.encoding.float32 import FLOAT32_MAX, nearest_float32, round_to_float32
from pipeline.schema.column_values import to_float64
from pipeline.schema.value_groups import ValueGroups, group_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipeline.modeling.encoding.column_encoding import FitContext, Floats, Matrix
    from pipeline.schema import Column

__all__ = ["MAX_GROUPS", "NO_GROUPS", "BinnedNumbers", "LogNumbers", "PlainNumbers", "private_groups"]

MAX_GROUPS = 255  # histogram gradient boosting has as many bins
_ONE_GROUP = ValueGroups((), (0.0,))  # too few rows have a value: only whether there is one is encoded
NO_GROUPS = ValueGroups((), ())


def private_groups(column: Column, numbers: Floats) -> ValueGroups:
    """Return the groups of the numbers of a private column; no groups where the column is not private."""
    if not column.is_private:
        return NO_GROUPS
    groups = group_values(round_to_float32(numbers), max_groups=MAX_GROUPS)
    return groups if groups.levels else _ONE_GROUP


@ENCODINGS.add("plain")
@dataclass(frozen=True, kw_only=True)
class PlainNumbers(ColumnEncoding):
    """Numbers, clipped to `low` and `high` where the column declares it.

    `groups` has levels for a private column: each number is replaced by that of its group.
    """

    method = "plain"
    scaling: Scaling
    groups: ValueGroups = NO_GROUPS
    low: float | None = None
    high: float | None = None
    edges: tuple[float, ...] = ()

    @classmethod
    def fit(cls, column: Column, values: Any, context: FitContext) -> Self:
        """Fit clipping, bins and scale; with `clip` the outermost share of the train numbers is clipped."""
        settings = context.features.numbers.with_keys(context.settings, column=column.name)
        numbers = to_float64(values)
        groups = private_groups(column, numbers)
        numbers = groups.replace(numbers)
        present = round_to_float32(numbers[~np.isnan(numbers)])
        low = high = None
        if settings.clip > 0 and len(present):
            quantiles = np.quantile(present, [settings.clip, 1 - settings.clip], method="inverted_cdf")
            low, high = map(nearest_float32, quantiles)
        edges = cls.fit_edges(present, settings.n_bins)
        unscaled = cls(
            name=column.name, kind=column.kind, scaling=Scaling(), groups=groups, low=low, high=high, edges=edges
        )
        encoded = round_to_float32(unscaled.transform_numbers(to_float64(values)))
        return replace(
            unscaled,
            scaling=fit_scaling(encoded, context.form),
            indicator=context.form.needs_indicator(
                column, has_missing=bool(np.isnan(numbers).any()), is_replaced=context.form.missing == "impute"
            ),
        )

    @classmethod
    def fit_edges(cls, present: Floats, n_bins: int) -> tuple[float, ...]:  # noqa: ARG003 - for bins
        """Return the edges between bins; none for numbers that are not binned."""
        return ()

    @property
    def value_names(self) -> tuple[str, ...]:
        """The name of the column."""
        return (self.name,)

    def transform_numbers(self, numbers: Floats) -> Floats:
        """Return the numbers before imputation and scaling."""
        numbers = self.groups.replace(numbers)
        return numbers if self.low is None or self.high is None else np.clip(numbers, self.low, self.high)

    def encode(self, values: Any, out: Matrix) -> NDArray[np.bool_]:
        """Write one column."""
        numbers = self.transform_numbers(to_float64(values))
        out[:, 0] = self.scaling.apply(numbers)
        return np.isnan(numbers)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **self.common_values,
            "scaling": asdict(self.scaling),
            "groups": self.groups.as_dict(),
            "low": self.low,
            "high": self.high,
            "edges": list(self.edges),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the encoding that `as_dict` wrote."""
        nested = {
            "scaling": Scaling(**value["scaling"]),
            "groups": ValueGroups.from_dict(value["groups"]),
            "edges": tuple(value["edges"]),
        }
        return cls(**{**value, **nested})


@ENCODINGS.add("log")
@dataclass(frozen=True, kw_only=True)
class LogNumbers(PlainNumbers):
    """The logarithm of 1 + |x| with the sign of x: for amounts whose ratios count more than their differences."""

    method = "log"

    def transform_numbers(self, numbers: Floats) -> Floats:
        """Return signed logarithms; the same bits for a number alone and among others."""
        clipped = np.clip(super().transform_numbers(numbers), -FLOAT32_MAX, FLOAT32_MAX)
        # numpy's own log1p may take another path for the last numbers of an array.
        logs = np.fromiter(map(math.log1p, np.abs(clipped).tolist()), dtype=np.float64, count=len(clipped))
        return np.copysign(logs, clipped)


@ENCODINGS.add("bins")
@dataclass(frozen=True, kw_only=True)
class BinnedNumbers(PlainNumbers):
    """The number of the quantile bin, from 0; a number on an edge belongs to the bin above."""

    method = "bins"

    @classmethod
    def fit_edges(cls, present: Floats, n_bins: int) -> tuple[float, ...]:
        """Return the distinct inner quantiles."""
        if not len(present):
            return ()
        inner = np.quantile(present, np.arange(1, n_bins) / n_bins, method="inverted_cdf")
        return tuple(float(edge) for edge in np.unique(inner))

    def transform_numbers(self, numbers: Floats) -> Floats:
        """Return the bin of each number as a number."""
        numbers = super().transform_numbers(numbers)
        bins = np.searchsorted(np.array(self.edges, dtype=np.float64), numbers, side="right").astype(np.float64)
        return np.where(np.isnan(numbers), np.nan, bins)
