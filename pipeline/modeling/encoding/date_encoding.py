"""Encode moments as days since the first one, and as parts of the calendar."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pipeline.modeling.encoding.column_encoding import ENCODINGS, ColumnEncoding, Scaling, fit_scaling
from pipeline.modeling.encoding.float32 import round_to_float32
from pipeline.modeling.encoding.number_encoding import MAX_GROUPS, NO_GROUPS, private_groups
from pipeline.schema.column_values import to_moments
from pipeline.schema.value_groups import ValueGroups, group_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pipeline.modeling.encoding.column_encoding import FitContext, Floats, Matrix
    from pipeline.schema import Column

__all__ = ["CALENDAR_PARTS", "CalendarDates", "DayDates"]

_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_CYCLE_DIGITS = 7


@dataclass(frozen=True, slots=True)
class _Part:
    """A whole number of the calendar, and the length of its cycle; None where it does not recur."""

    compute: Callable[[NDArray[np.datetime64]], NDArray[np.int64]]
    first: int = 0
    cycle: int | None = None


def _unit(moments: NDArray[np.datetime64], unit: str) -> NDArray[np.int64]:
    return moments.astype(f"datetime64[{unit}]").astype(np.int64)


def _day_of_year(moments: NDArray[np.datetime64]) -> NDArray[np.int64]:
    starts = moments.astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    return _unit(moments, "D") - starts + 1


def _day_of_month(moments: NDArray[np.datetime64]) -> NDArray[np.int64]:
    starts = moments.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return _unit(moments, "D") - starts + 1


CALENDAR_PARTS: dict[str, _Part] = {
    "year": _Part(lambda moments: _unit(moments, "Y") + 1970),
    "month": _Part(lambda moments: _unit(moments, "M") % 12 + 1, first=1, cycle=12),
    "day": _Part(_day_of_month, first=1, cycle=31),
    "weekday": _Part(lambda moments: (_unit(moments, "D") + 3) % 7, cycle=7),  # Monday is 0; 1970 began on Thursday
    "hour": _Part(lambda moments: moments.astype(np.int64) // _HOUR_US % 24, cycle=24),
    "day_of_year": _Part(_day_of_year, first=1, cycle=366),
}


@ENCODINGS.add("days")
@dataclass(frozen=True, kw_only=True)
class DayDates(ColumnEncoding):
    """Days since `origin_us` (microseconds since 1970, UTC), the earliest train value.

    Of a private column the origin is the start of the earliest group's day, and days are levels of groups.
    """

    method = "days"
    origin_us: int = 0
    scalings: tuple[Scaling, ...] = (Scaling(),)
    groups: ValueGroups = NO_GROUPS
    parts: tuple[str, ...] = ()
    cyclic: bool = False

    @classmethod
    def fit(cls, column: Column, values: Any, context: FitContext) -> Self:
        """Fit the origin, the parts that vary, and the scale of each number."""
        settings = context.features.dates.with_keys(context.settings, column=column.name)
        form, moments = context.form, to_moments(values)
        cyclic = settings.cyclic == "always" or (settings.cyclic == "auto" and form.scale == "standard")
        origin = _origin_us(column, moments)
        groups = private_groups(column, _days_since(moments, origin))
        # A part of the calendar says more about a person than a level of a group does.
        candidates = settings.parts if cls.method == "parts" and not column.is_private else ()
        parts = tuple(part for part in candidates if _varies(part, moments))
        unscaled = cls(name=column.name, kind=column.kind, origin_us=origin, groups=groups, parts=parts, cyclic=cyclic)
        is_missing = np.isnat(moments)
        return replace(
            unscaled,
            scalings=tuple(fit_scaling(round_to_float32(part), form) for part in unscaled.numbers(moments)),
            indicator=form.needs_indicator(
                column, has_missing=bool(is_missing.any()), is_replaced=form.missing == "impute"
            ),
        )

    @property
    def value_names(self) -> tuple[str, ...]:
        """The name of the column, for the days, then a name for each part."""
        names = [self.name]
        for part in self.parts:
            is_pair = self.cyclic and CALENDAR_PARTS[part].cycle is not None
            names += [f"{self.name}={part}_{form}" for form in ("sin", "cos")] if is_pair else [f"{self.name}={part}"]
        return tuple(names)

    def numbers(self, moments: NDArray[np.datetime64]) -> list[Floats]:
        """Return the days and the parts as numbers, NaN where the moment is missing."""
        is_missing = np.isnat(moments)
        numbers = [self.groups.replace(_days_since(moments, self.origin_us))]
        for part in self.parts:
            numbers += _part_numbers(part, moments, cyclic=self.cyclic)
        for column in numbers[1:]:
            column[is_missing] = np.nan
        return numbers

    def encode(self, values: Any, out: Matrix) -> NDArray[np.bool_]:
        """Write the days, then the parts."""
        moments = to_moments(values)
        for at, (numbers, scaling) in enumerate(zip(self.numbers(moments), self.scalings, strict=True)):
            out[:, at] = scaling.apply(numbers)
        return np.isnat(moments)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **self.common_values,
            "origin_us": self.origin_us,
            "scalings": [asdict(scaling) for scaling in self.scalings],
            "groups": self.groups.as_dict(),
            "parts": list(self.parts),
            "cyclic": self.cyclic,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the encoding that `as_dict` wrote."""
        nested = {
            "scalings": tuple(Scaling(**scaling) for scaling in value["scalings"]),
            "groups": ValueGroups.from_dict(value["groups"]),
            "parts": tuple(value["parts"]),
        }
        return cls(**{**value, **nested})


@ENCODINGS.add("parts")
@dataclass(frozen=True, kw_only=True)
class CalendarDates(DayDates):
    """Days since the first moment, and the parts of the calendar that vary in training."""

    method = "parts"


def _origin_us(column: Column, moments: NDArray[np.datetime64]) -> int:
    present = moments[~np.isnat(moments)].astype(np.int64)
    if not column.is_private:
        return int(present.min()) if len(present) else 0
    levels = group_values(present.astype(np.float64), max_groups=MAX_GROUPS).levels
    return int(levels[0]) // _DAY_US * _DAY_US if levels else 0


def _days_since(moments: NDArray[np.datetime64], origin_us: int) -> Floats:
    days: Floats = (moments.astype(np.int64) - origin_us) / _DAY_US
    days[np.isnat(moments)] = np.nan
    return days


def _varies(part: str, moments: NDArray[np.datetime64]) -> bool:
    """Return whether a part varies; within one year the day of the year is the number of days, and is left out."""
    present = moments[~np.isnat(moments)]
    decisive = "year" if part == "day_of_year" else part
    return len(np.unique(CALENDAR_PARTS[decisive].compute(present))) > 1


def _part_numbers(part: str, moments: NDArray[np.datetime64], *, cyclic: bool) -> list[Floats]:
    """Return one part as a number, or as sine and cosine of its place in the cycle."""
    calendar = CALENDAR_PARTS[part]
    settled = np.where(np.isnat(moments), np.datetime64(0, "us"), moments)
    values = calendar.compute(settled)
    if not cyclic or calendar.cycle is None:
        return [values.astype(np.float64)]
    sines, cosines = _cycle(calendar.cycle)
    at = values - calendar.first
    return [sines[at], cosines[at]]


@cache
def _cycle(length: int) -> tuple[Floats, Floats]:
    """Return sine and cosine of each place of a cycle, in few digits: equal on any machine."""
    angles = [2.0 * math.pi * at / length for at in range(length)]
    sines = [round(math.sin(angle), _CYCLE_DIGITS) for angle in angles]
    cosines = [round(math.cos(angle), _CYCLE_DIGITS) for angle in angles]
    return np.array(sines), np.array(cosines)
