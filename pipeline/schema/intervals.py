"""Convert declared bounds to the closed interval of the values that a column of a kind can have.

Programs compare 64-bit integers with floats in different ways: Python exactly, numpy after rounding, Arrow not at
all. A closed interval whose ends have the column's own type means the same to each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.schema.column_kinds import ColumnKind

__all__ = ["MAX_INT64", "MIN_INT64", "Bound", "Interval", "closed_interval", "parse_moment"]

MAX_INT64 = 2**63 - 1
MIN_INT64 = -(2**63)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Bound:
    """One declared bound: the side that it closes, its value, and whether the value itself is allowed."""

    side: Literal["lower", "upper"]
    value: Any
    is_inclusive: bool = True

    @property
    def is_finite_number(self) -> bool:
        """Whether JSON Schema can express the bound: its value is neither infinite nor a boolean."""
        return isinstance(self.value, int | float) and not isinstance(self.value, bool) and abs(self.value) < math.inf

    @property
    def json_keyword(self) -> str:
        """The JSON Schema keyword of the bound."""
        name = "minimum" if self.side == "lower" else "maximum"
        return name if self.is_inclusive else f"exclusive{name.title()}"

    def admits(self, value: Any) -> bool:
        """Whether a value satisfies the bound."""
        if self.is_inclusive and value == self.value:
            return True
        return bool(value > self.value if self.side == "lower" else value < self.value)


@dataclass(frozen=True, slots=True)
class Interval:
    """Values from `low` to `high`, both included; None leaves a side open. It is empty where `low` exceeds `high`."""

    low: Any = None
    high: Any = None

    def contains(self, value: Any) -> bool:
        """Whether a value of the interval's own type is inside."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def intersect(self, other: Interval) -> Interval:
        """Return the values that are in both."""
        lows = [end for end in (self.low, other.low) if end is not None]
        highs = [end for end in (self.high, other.high) if end is not None]
        return Interval(max(lows, default=None), min(highs, default=None))


_EMPTY_INTEGERS = Interval(1, 0)
_EMPTY_FLOATS = Interval(1.0, 0.0)
_EMPTY_MOMENTS = Interval(datetime.max, datetime.min)  # noqa: DTZ901 - moments of columns have no zone


def closed_interval(kind: ColumnKind, bounds: Iterable[Bound]) -> Interval:
    """Return the values of a kind that are within all `bounds`.

    Parameters
    ----------
    kind : {"integer", "boolean", "float", "datetime"}
        Booleans count as 0 and 1.
    bounds : iterable of Bound
        Numbers, or ISO texts of moments for a datetime column. No value is within a bound of NaN.

    Raises
    ------
    TypeError, ValueError
        When a bound cannot be compared with values of the kind.
    """
    narrow = {"float": _float_interval, "datetime": _moment_interval}.get(kind, _integer_interval)
    interval = Interval()
    for bound in bounds:
        interval = interval.intersect(narrow(bound))
    return interval


def parse_moment(value: Any) -> datetime:
    """Return the moment that an ISO text names.

    Raises
    ------
    TypeError, ValueError
        When it names none, or has a zone: columns of moments have none.
    """
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if moment.tzinfo is not None:
        raise ValueError(f"{value!r} has a time zone")
    return moment


def _require_number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return value


def _integer_interval(bound: Bound) -> Interval:
    value = _require_number(bound.value)
    is_lower = bound.side == "lower"
    if value != value:  # noqa: PLR0124 - NaN; an integer may be too large for math.isnan
        return _EMPTY_INTEGERS
    if value in (math.inf, -math.inf):
        return Interval() if (value < 0) is is_lower else _EMPTY_INTEGERS
    end = math.ceil(value) if is_lower else math.floor(value)
    if end == value and not bound.is_inclusive:
        end += 1 if is_lower else -1
    if is_lower:
        return _EMPTY_INTEGERS if end > MAX_INT64 else Interval(low=max(end, MIN_INT64))
    return _EMPTY_INTEGERS if end < MIN_INT64 else Interval(high=min(end, MAX_INT64))


def _float_interval(bound: Bound) -> Interval:
    value = _require_number(bound.value)
    is_lower = bound.side == "lower"
    if value != value:  # noqa: PLR0124 - NaN; an integer may be too large for math.isnan
        return _EMPTY_FLOATS
    inward = math.inf if is_lower else -math.inf
    end = _nearest_float(value)
    is_outside = end < value if is_lower else end > value
    if is_outside or (end == value and not bound.is_inclusive):
        if end == inward:
            return _EMPTY_FLOATS
        end = math.nextafter(end, inward)
    if end == -inward:
        return Interval()
    return Interval(low=end) if is_lower else Interval(high=end)


def _nearest_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _moment_interval(bound: Bound) -> Interval:
    end = parse_moment(bound.value)
    is_lower = bound.side == "lower"
    if not bound.is_inclusive:
        try:
            end += _MICROSECOND if is_lower else -_MICROSECOND
        except OverflowError:
            return _EMPTY_MOMENTS
    return Interval(low=end) if is_lower else Interval(high=end)
