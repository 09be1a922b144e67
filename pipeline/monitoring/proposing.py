"""Decide many windows again under other limits, in no time, and find the limits that keep a budget of alerts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.config.groups.live import DriftConfig
    from pipeline.monitoring.judging import ColumnTest

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

__all__ = ["Limits", "Windows", "n_incidents", "quieter", "raise_limits"]

_SHARED = {
    "wasserstein": "drift.numeric.wasserstein",
    "missing": "drift.numeric.missing",
    "jensen_shannon": "drift.categorical.jensen_shannon",
}
_ALPHA = "drift.alpha"
# What is tried against chance: wider limits, and a smaller chance of a false alarm.
_SCALES = (1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
_ALPHAS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.001)
_MARGIN = 1.02  # above the largest value that shall stay silent


@dataclass(frozen=True, slots=True)
class Limits:
    """What decides: keys of conf/ with their values, among them limits that columns have of their own."""

    values: Mapping[str, float]
    hold_windows: int

    @classmethod
    def of(cls, config: DriftConfig, own: Mapping[str, float]) -> Limits:
        """Return those of the settings; `own` are limits of single columns."""
        values = {
            _ALPHA: config.alpha,
            _SHARED["wasserstein"]: config.numeric.wasserstein,
            _SHARED["missing"]: config.numeric.missing,
            _SHARED["jensen_shannon"]: config.categorical.jensen_shannon,
        }
        return cls({**values, **{_own(name): limit for name, limit in own.items()}}, config.hold_windows)

    @property
    def alpha(self) -> float:
        """Chance of a false alarm over all columns of a window."""
        return self.values[_ALPHA]

    def with_values(self, more: Mapping[str, float]) -> Limits:
        """Return others."""
        return replace(self, values={**self.values, **more})

    def scaled(self, scale: float, alpha: float) -> Limits:
        """Return limits that are wider by a factor, and a chance that is smaller by one."""
        wider = {key: _rounded_up(value * scale) for key, value in self.values.items() if key != _ALPHA}
        return self.with_values({**(wider if scale != 1.0 else {}), _ALPHA: float(f"{self.alpha * alpha:.3g}")})

    def changes(self, after: Limits) -> dict[str, tuple[float | None, float]]:
        """Return the keys that differ in `after`, with both values; None where there was none before."""
        found = {key: (self.values.get(key), value) for key, value in after.values.items()}
        return {key: both for key, both in sorted(found.items()) if both[0] != both[1]}


@dataclass(frozen=True, slots=True)
class Windows:
    """The same questions asked of many windows: `values` and `p_values` have shape (n_windows, n_tests)."""

    tests: tuple[ColumnTest, ...]
    values: Floats
    p_values: Floats

    @classmethod
    def of(cls, asked: Sequence[Sequence[ColumnTest]]) -> Windows:
        """Return the windows whose tests are given, each in the same order."""
        shape = (len(asked), len(asked[0]) if asked else 0)
        return cls(
            tuple(asked[0]) if asked else (),
            np.array([[one.value for one in tests] for tests in asked], dtype=np.float64).reshape(shape),
            np.array([[one.p_value for one in tests] for tests in asked], dtype=np.float64).reshape(shape),
        )

    def with_tests(self, other: Windows) -> Windows:
        """Return the windows with the tests of `other`, as many windows of some columns, in place of their own."""
        at = [self.names.index(name) for name in other.names]
        values, p_values = self.values.copy(), self.p_values.copy()
        values[:, at], p_values[:, at] = other.values, other.p_values
        return Windows(self.tests, values, p_values)

    @property
    def names(self) -> list[tuple[str, str, str]]:
        """Part, column and statistic of each test."""
        return [(one.part, one.column, one.statistic) for one in self.tests]

    def limits(self, limits: Limits) -> Floats:
        """Return the limit of each test."""
        return np.array(
            [
                limits.values.get(self.key(i), limits.values[_SHARED[self.tests[i].statistic]])
                for i in range(len(self.tests))
            ]
        )

    def key(self, i: int) -> str:
        """Return the key of conf/ that limits one test alone, or the shared one where there is no such key."""
        one = self.tests[i]
        return _own(one.column) if one.part == "feature" and one.statistic != "missing" else _SHARED[one.statistic]

    def drifted(self, limits: Limits) -> Bools:
        """Return which tests say drift, shape (n_windows, n_tests), by Holm's correction within each window."""
        n_tests = len(self.tests)
        order = np.argsort(self.p_values, axis=1, kind="stable")
        sorted_p = np.take_along_axis(self.p_values, order, axis=1)
        passes = np.logical_and.accumulate(sorted_p < limits.alpha / (n_tests - np.arange(n_tests)), axis=1)
        significant = np.zeros_like(passes)
        np.put_along_axis(significant, order, passes, axis=1)
        return np.asarray(significant & (self.values > self.limits(limits)))

    def held(self, limits: Limits) -> Bools:
        """Return the same for windows in a row: drift that `hold_windows` of them show, by column."""
        now = self.drifted(limits)
        columns = [name[:2] for name in self.names]
        by_column = np.stack([now[:, [one == name for one in columns]].any(axis=1) for name in columns], axis=1)
        held = by_column.copy()
        for back in range(1, limits.hold_windows):
            earlier = np.zeros_like(by_column)
            earlier[back:] = by_column[:-back]
            held &= earlier
        return now & held

    def raised(self, limits: Limits) -> Bools:
        """Return which windows in a row raise something, shape (n_windows,)."""
        return np.asarray(self.held(limits).any(axis=1))


def n_incidents(is_raised: Bools) -> int:
    """Return how many runs of raised windows there are."""
    return int((is_raised & ~np.concatenate([[False], is_raised[:-1]])).sum())


def quieter(limits: Limits, calm: Windows, moved: Sequence[tuple[Windows, Bools]], share: float) -> Limits | None:
    """Return the limits under which at most a share of calm windows raises anything and most moved ones are found.

    Parameters
    ----------
    limits : Limits
        As they are; returned where they keep the share already.
    calm : Windows
        Without drift, independent of each other.
    moved : sequence of (Windows, which tests are of the moved column)
    share : float between 0 and 1

    Returns
    -------
    Limits, or None where nothing that is tried keeps it
    """
    best: tuple[float, float, float] | None = None
    found = None
    for scale in _SCALES:
        for alpha in _ALPHAS:
            tried = limits.scaled(scale, alpha)
            if calm.drifted(tried).any(axis=1).mean() > share:
                continue
            if (scale, alpha) == (1.0, 1.0):
                return limits
            hits = [one.drifted(tried)[:, which].any(axis=1).mean() for one, which in moved]
            rank = (-round(float(np.mean(hits)), 3) if hits else 0.0, scale, -alpha)
            if best is None or rank < best:
                best, found = rank, tried
    return found


def raise_limits(limits: Limits, past: Windows, n_allowed: int) -> Limits:
    """Return limits under which past windows in a row hold at most so many incidents.

    One limit at a time is raised by the smallest step that silences a window, the smallest relative step
    first, so that the columns that cry most often are turned down and the others stay as they are.
    """
    while n_incidents(past.raised(limits)) > n_allowed:
        loud, present = past.held(limits), past.limits(limits)
        steps = [
            (float(past.values[loud[:, i], i].min()) / present[i], past.key(i), float(past.values[loud[:, i], i].min()))
            for i in np.flatnonzero(loud.any(axis=0)).tolist()
        ]
        _, key, value = min(steps)
        limits = limits.with_values({key: _rounded_up(value * _MARGIN)})
    return limits


def _own(column: str) -> str:
    return f"data.columns.{column}.drift_limit"


def _rounded_up(value: float) -> float:
    """Return the next number with two significant digits that is not below."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(round(value / unit, 6)) * unit:.6g}")
