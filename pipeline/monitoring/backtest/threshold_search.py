"""Decide many windows again under other limits, in no time, and find the limits that keep a budget of alerts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.config.groups.drift_config import DriftConfig
    from pipeline.monitoring.drift.detection import ColumnTest

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

__all__ = [
    "DriftThresholds",
    "WindowCollection",
    "count_incidents",
    "raise_column_thresholds",
    "search_wider_thresholds",
]

_SHARED_KEYS = {
    "wasserstein": "drift.numeric.wasserstein",
    "missing": "drift.numeric.missing",
    "jensen_shannon": "drift.categorical.jensen_shannon",
}
_ALPHA_KEY = "drift.alpha"
# What is tried against chance: wider limits, and a smaller chance of a false alarm.
_THRESHOLD_SCALES = (1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
_ALPHA_SCALES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.001)
_RAISE_MARGIN = 1.02  # above the largest value that shall stay silent


@dataclass(frozen=True, slots=True)
class DriftThresholds:
    """What decides: keys of conf/ with their values, among them limits that columns have of their own."""

    values: Mapping[str, float]
    consecutive_windows: int

    @classmethod
    def from_config(cls, config: DriftConfig, column_thresholds: Mapping[str, float]) -> DriftThresholds:
        """Return those of the settings; `own` are limits of single columns."""
        values = {
            _ALPHA_KEY: config.alpha,
            _SHARED_KEYS["wasserstein"]: config.numeric.wasserstein,
            _SHARED_KEYS["missing"]: config.numeric.missing,
            _SHARED_KEYS["jensen_shannon"]: config.categorical.jensen_shannon,
        }
        return cls(
            {**values, **{_column_threshold_key(name): limit for name, limit in column_thresholds.items()}},
            config.consecutive_windows,
        )

    @property
    def alpha(self) -> float:
        """Chance of a false alarm over all columns of a window."""
        return self.values[_ALPHA_KEY]

    def with_values(self, updates: Mapping[str, float]) -> DriftThresholds:
        """Return others."""
        return replace(self, values={**self.values, **updates})

    def scaled(self, scale: float, alpha_scale: float) -> DriftThresholds:
        """Return limits that are wider by a factor, and a chance that is smaller by one."""
        wider = {key: _round_up(value * scale) for key, value in self.values.items() if key != _ALPHA_KEY}
        return self.with_values(
            {**(wider if scale != 1.0 else {}), _ALPHA_KEY: float(f"{self.alpha * alpha_scale:.3g}")}
        )

    def changes_to(self, after: DriftThresholds) -> dict[str, tuple[float | None, float]]:
        """Return the keys that differ in `after`, with both values; None where there was none before."""
        found = {key: (self.values.get(key), value) for key, value in after.values.items()}
        return {key: both for key, both in sorted(found.items()) if both[0] != both[1]}


@dataclass(frozen=True, slots=True)
class WindowCollection:
    """The same questions asked of many windows: `values` and `p_values` have shape (n_windows, n_tests)."""

    tests: tuple[ColumnTest, ...]
    values: Floats
    p_values: Floats

    @classmethod
    def from_tests(cls, tests_by_window: Sequence[Sequence[ColumnTest]]) -> WindowCollection:
        """Return the windows whose tests are given, each in the same order."""
        shape = (len(tests_by_window), len(tests_by_window[0]) if tests_by_window else 0)
        return cls(
            tuple(tests_by_window[0]) if tests_by_window else (),
            np.array([[one.value for one in tests] for tests in tests_by_window], dtype=np.float64).reshape(shape),
            np.array([[one.p_value for one in tests] for tests in tests_by_window], dtype=np.float64).reshape(shape),
        )

    def with_tests(self, other: WindowCollection) -> WindowCollection:
        """Return the windows with the tests of `other`, as many windows of some columns, in place of their own."""
        at = [self.test_names.index(name) for name in other.test_names]
        values, p_values = self.values.copy(), self.p_values.copy()
        values[:, at], p_values[:, at] = other.values, other.p_values
        return WindowCollection(self.tests, values, p_values)

    @property
    def test_names(self) -> list[tuple[str, str, str]]:
        """Part, column and statistic of each test."""
        return [(one.kind, one.column, one.statistic) for one in self.tests]

    def test_thresholds(self, thresholds: DriftThresholds) -> Floats:
        """Return the limit of each test."""
        return np.array(
            [
                thresholds.values.get(self.config_key(i), thresholds.values[_SHARED_KEYS[self.tests[i].statistic]])
                for i in range(len(self.tests))
            ]
        )

    def config_key(self, i: int) -> str:
        """Return the key of conf/ that limits one test alone, or the shared one where there is no such key."""
        one = self.tests[i]
        return (
            _column_threshold_key(one.column)
            if one.kind == "feature" and one.statistic != "missing"
            else _SHARED_KEYS[one.statistic]
        )

    def drift_mask(self, thresholds: DriftThresholds) -> Bools:
        """Return which tests say drift, shape (n_windows, n_tests), by Holm's correction within each window."""
        n_tests = len(self.tests)
        order = np.argsort(self.p_values, axis=1, kind="stable")
        sorted_p = np.take_along_axis(self.p_values, order, axis=1)
        passes = np.logical_and.accumulate(sorted_p < thresholds.alpha / (n_tests - np.arange(n_tests)), axis=1)
        significant = np.zeros_like(passes)
        np.put_along_axis(significant, order, passes, axis=1)
        return np.asarray(significant & (self.values > self.test_thresholds(thresholds)))

    def consecutive_drift_mask(self, thresholds: DriftThresholds) -> Bools:
        """Return the same for windows in a row: drift that `consecutive_windows` of them show, by column."""
        now = self.drift_mask(thresholds)
        columns = [name[:2] for name in self.test_names]
        by_column = np.stack([now[:, [one == name for one in columns]].any(axis=1) for name in columns], axis=1)
        held = by_column.copy()
        for back in range(1, thresholds.consecutive_windows):
            earlier = np.zeros_like(by_column)
            earlier[back:] = by_column[:-back]
            held &= earlier
        return now & held

    def alert_mask(self, thresholds: DriftThresholds) -> Bools:
        """Return which windows in a row raise something, shape (n_windows,)."""
        return np.asarray(self.consecutive_drift_mask(thresholds).any(axis=1))


def count_incidents(is_alerting: Bools) -> int:
    """Return how many runs of raised windows there are."""
    return int((is_alerting & ~np.concatenate([[False], is_alerting[:-1]])).sum())


def search_wider_thresholds(
    thresholds: DriftThresholds,
    unshifted: WindowCollection,
    shifted: Sequence[tuple[WindowCollection, Bools]],
    max_alert_share: float,
) -> DriftThresholds | None:
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
    for scale in _THRESHOLD_SCALES:
        for alpha in _ALPHA_SCALES:
            tried = thresholds.scaled(scale, alpha)
            if unshifted.drift_mask(tried).any(axis=1).mean() > max_alert_share:
                continue
            if (scale, alpha) == (1.0, 1.0):
                return thresholds
            hits = [one.drift_mask(tried)[:, which].any(axis=1).mean() for one, which in shifted]
            rank = (-round(float(np.mean(hits)), 3) if hits else 0.0, scale, -alpha)
            if best is None or rank < best:
                best, found = rank, tried
    return found


def raise_column_thresholds(
    thresholds: DriftThresholds, logged_windows: WindowCollection, max_incidents: int
) -> DriftThresholds:
    """Return limits under which past windows in a row hold at most so many incidents.

    One limit at a time is raised by the smallest step that silences a window, the smallest relative step
    first, so that the columns that cry most often are turned down and the others stay as they are.
    """
    while count_incidents(logged_windows.alert_mask(thresholds)) > max_incidents:
        loud, present = logged_windows.consecutive_drift_mask(thresholds), logged_windows.test_thresholds(thresholds)
        steps = [
            (
                float(logged_windows.values[loud[:, i], i].min()) / present[i],
                logged_windows.config_key(i),
                float(logged_windows.values[loud[:, i], i].min()),
            )
            for i in np.flatnonzero(loud.any(axis=0)).tolist()
        ]
        _, key, value = min(steps)
        thresholds = thresholds.with_values({key: _round_up(value * _RAISE_MARGIN)})
    return thresholds


def _column_threshold_key(column: str) -> str:
    return f"data.columns.{column}.drift_limit"


def _round_up(value: float) -> float:
    """Return the next number with two significant digits that is not below."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(round(value / unit, 6)) * unit:.6g}")
