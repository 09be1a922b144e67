"""Replace numbers of people by levels of groups, so that nothing derived from them shows one person's value."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["MIN_GROUP_ROWS", "ValueGroups", "group_values"]

MIN_GROUP_ROWS = 5  # a number of fewer rows could be one person's value
_MAX_DIGITS = 17  # they distinguish any two numbers of 64 bits
_MAX_SCALAR_VALUES = 32  # up to here a search value by value is faster than numpy's


@dataclass(frozen=True, slots=True)
class ValueGroups:
    """Groups of neighboring numbers, each of at least `MIN_GROUP_ROWS` rows where the column has as many.

    Attributes
    ----------
    limits : tuple of float
        Ascending numbers between two groups; a number on a limit belongs to the group below it. No row has them.
    levels : tuple of float
        One number for each group, ascending: the value that most of its rows share, else about the mean of its rows
        without its lowest and highest one. None of them is the value of fewer than `MIN_GROUP_ROWS` rows.
    is_shared : tuple of bool
        Which levels are the value of all rows of their group.
    """

    limits: tuple[float, ...]
    levels: tuple[float, ...]
    is_shared: tuple[bool, ...] = ()

    def replace(self, numbers: Floats) -> Floats:
        """Return the level of the group of each number; missing numbers stay missing."""
        if not self.levels:
            return numbers
        if len(numbers) <= _MAX_SCALAR_VALUES:
            return np.array([self._level(number) for number in numbers.tolist()], dtype=np.float64)
        at = np.searchsorted(np.array(self.limits, dtype=np.float64), numbers)
        is_missing = np.isnan(numbers)
        return np.where(is_missing, np.nan, np.array(self.levels)[np.where(is_missing, 0, at)])

    def as_dict(self) -> dict[str, list[float]]:
        """Return plain values from which `from_dict` builds groups that replace equally."""
        return {"limits": list(self.limits), "levels": list(self.levels)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Sequence[float]]) -> ValueGroups:
        """Return the groups that `as_dict` wrote; `is_shared` is not stored."""
        return cls(tuple(value["limits"]), tuple(value["levels"]))

    def _level(self, number: float) -> float:
        return self.levels[bisect_left(self.limits, number)] if number == number else number  # noqa: PLR0124 - NaN


def group_values(numbers: Floats, *, max_groups: int = 1_000) -> ValueGroups:
    """Divide the numbers of a column into groups of neighbors; equal numbers are in one group.

    Parameters
    ----------
    numbers : float, shape (n_rows,)
        NaN where missing; the rest is finite.
    max_groups : int, at least 1
        Groups of a column of different numbers; a number of many rows has one of its own.

    Returns
    -------
    ValueGroups
        Without levels where all numbers are missing, or where fewer than `MIN_GROUP_ROWS` are not.

    Examples
    --------
    >>> groups = group_values(np.array([1.0, 2.0, 4.0, 4.5, 5.0, 7.0, 7.0, 7.0, 7.0, 7.0, 9000.0]), max_groups=10)
    >>> groups.levels, groups.limits
    ((3.5, 7.0), (6.0,))
    """
    present = np.sort(numbers[~np.isnan(numbers)])
    if len(present) < MIN_GROUP_ROWS:
        return ValueGroups((), ())
    values, counts = np.unique(present, return_counts=True)
    stops = _group_stops(counts, size=max(MIN_GROUP_ROWS, -(-len(present) // max_groups)))
    spans = list(zip([0, *stops[:-1]], stops, strict=True))
    levels = [_group_level(values[start:stop], counts[start:stop]) for start, stop in spans]
    limits = [_number_between(float(values[stop - 1]), float(values[stop])) for stop in stops[:-1]]
    return ValueGroups(tuple(limits), tuple(levels), tuple(stop == start + 1 for start, stop in spans))


def _group_stops(counts: NDArray[np.int64], *, size: int) -> list[int]:
    """Return the end of each group among sorted distinct values, so that each has at least `MIN_GROUP_ROWS` rows."""
    ends = np.cumsum(counts)
    frequent = np.flatnonzero(counts >= size)
    stops: list[int] = []
    start = 0
    while start < len(counts):
        next_frequent = int(np.searchsorted(frequent, start))
        barrier = int(frequent[next_frequent]) if next_frequent < len(frequent) else len(counts)
        n_before = int(ends[start - 1]) if start else 0
        stop = start + 1 if barrier == start else min(int(np.searchsorted(ends, n_before + size)) + 1, barrier)
        n_rows = int(ends[stop - 1]) - n_before
        if n_rows < MIN_GROUP_ROWS and stops:
            stops[-1] = stop
        elif n_rows < MIN_GROUP_ROWS and stop < len(counts):
            stops.append(stop + 1)  # the first values join the frequent one that follows
        else:
            stops.append(stop)
        start = stops[-1]
    return stops


def _group_level(values: Floats, counts: NDArray[np.int64]) -> float:
    most_frequent = int(counts.argmax())
    if counts[most_frequent] >= MIN_GROUP_ROWS and 2 * counts[most_frequent] >= counts.sum():
        return float(values[most_frequent])
    inner = counts.copy()
    inner[[0, -1]] -= 1
    # Divided first, since the sum of extreme numbers overflows.
    mean = float((values * (inner / inner.sum())).sum())
    above = min(max(int(np.searchsorted(values, mean)), 1), len(values) - 1)
    return _number_between(float(values[above - 1]), float(values[above]), near=mean)


def _number_between(low: float, high: float, *, near: float | None = None) -> float:
    """Return a number of few digits above `low` and below `high`, close to `near`; `low` where there is none."""
    middle = low / 2 + high / 2
    for number in (middle if near is None else near, middle):
        for n_digits in range(1, _MAX_DIGITS + 1):
            rounded = float(f"{number:.{n_digits}g}")
            if low < rounded < high:
                return rounded
    return low
