"""Evaluate many windows under other thresholds, and search the thresholds that meet an alert budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.config.groups.drift_config import DriftConfig
    from pipeline.monitoring.drift.column_tests import ColumnTest

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
    "rare_values": "drift.numeric.rare_values",
    "rank_biserial": "drift.numeric.rank_biserial",
    "jensen_shannon": "drift.categorical.jensen_shannon",
}
_ALPHA_KEY = "drift.alpha"
# The search grid: wider thresholds, and a lower level of the tests.
_THRESHOLD_SCALES = (1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
_ALPHA_SCALES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.001)
_RAISE_MARGIN = 1.02  # above the largest value that must not alert


@dataclass(frozen=True, slots=True)
class DriftThresholds:
    """Thresholds by key of conf/, among them those of single columns, and the required consecutive windows."""

    values: Mapping[str, float]
    consecutive_windows: int

    @classmethod
    def from_config(cls, config: DriftConfig, column_thresholds: Mapping[str, float]) -> DriftThresholds:
        """Return the declared thresholds; `column_thresholds` are those of single columns."""
        values = {
            _ALPHA_KEY: config.alpha,
            _SHARED_KEYS["wasserstein"]: config.numeric.wasserstein,
            _SHARED_KEYS["missing"]: config.numeric.missing,
            _SHARED_KEYS["rare_values"]: config.numeric.rare_values,
            _SHARED_KEYS["rank_biserial"]: config.numeric.rank_biserial,
            _SHARED_KEYS["jensen_shannon"]: config.categorical.jensen_shannon,
        }
        return cls(
            {**values, **{_column_threshold_key(name): value for name, value in column_thresholds.items()}},
            config.consecutive_windows,
        )

    @property
    def alpha(self) -> float:
        """Probability of a false alarm over all columns of a window."""
        return self.values[_ALPHA_KEY]

    def with_values(self, updates: Mapping[str, float]) -> DriftThresholds:
        """Return the thresholds with some values replaced."""
        return replace(self, values={**self.values, **updates})

    def scaled(self, scale: float, alpha_scale: float) -> DriftThresholds:
        """Return thresholds multiplied by `scale`, and `alpha` multiplied by `alpha_scale`."""
        wider = {key: _round_up(value * scale) for key, value in self.values.items() if key != _ALPHA_KEY}
        return self.with_values(
            {**(wider if scale != 1.0 else {}), _ALPHA_KEY: float(f"{self.alpha * alpha_scale:.3g}")}
        )

    def changes_to(self, after: DriftThresholds) -> dict[str, tuple[float | None, float]]:
        """Return the keys that differ in `after`, with both values; None for a new key."""
        pairs = {key: (self.values.get(key), value) for key, value in after.values.items()}
        return {key: (old, new) for key, (old, new) in sorted(pairs.items()) if old != new}


@dataclass(frozen=True, slots=True)
class WindowCollection:
    """The same tests of many windows: `values` and `p_values` have shape (n_windows, n_tests)."""

    tests: tuple[ColumnTest, ...]
    values: Floats
    p_values: Floats

    @classmethod
    def from_tests(cls, tests_by_window: Sequence[Sequence[ColumnTest]]) -> WindowCollection:
        """Return the collection of windows with the given tests, each in the same order."""
        shape = (len(tests_by_window), len(tests_by_window[0]) if tests_by_window else 0)
        return cls(
            tuple(tests_by_window[0]) if tests_by_window else (),
            np.array([[test.value for test in tests] for tests in tests_by_window], dtype=np.float64).reshape(shape),
            np.array([[test.p_value for test in tests] for tests in tests_by_window], dtype=np.float64).reshape(shape),
        )

    def with_tests(self, other: WindowCollection) -> WindowCollection:
        """Return the windows with some tests replaced by those of `other`, which has as many windows."""
        indices = [self.test_names.index(name) for name in other.test_names]
        values, p_values = self.values.copy(), self.p_values.copy()
        values[:, indices], p_values[:, indices] = other.values, other.p_values
        return WindowCollection(self.tests, values, p_values)

    @property
    def test_names(self) -> list[tuple[str, str, str]]:
        """Kind, column and statistic of each test."""
        return [(test.kind, test.column, test.statistic) for test in self.tests]

    def test_thresholds(self, thresholds: DriftThresholds) -> Floats:
        """Return the threshold of each test."""
        return np.array(
            [
                thresholds.values.get(self.config_key(i), self._first_threshold(i, thresholds))
                * self.scale_of_key(i, thresholds)
                for i in range(len(self.tests))
            ]
        )

    def scale_of_key(self, i: int, thresholds: DriftThresholds) -> float:
        """Return the threshold of one test divided by that of its key, which is of the column's first test."""
        own = thresholds.values[_SHARED_KEYS[self.tests[i].statistic]]
        return own / self._first_threshold(i, thresholds)

    def _first_threshold(self, i: int, thresholds: DriftThresholds) -> float:
        """Return the shared value for the key of one test."""
        test = self.tests[i]
        has_distance = (test.kind, test.column, "wasserstein") in self.test_names
        is_scaled = has_distance and self.config_key(i) == _column_threshold_key(test.column)
        return thresholds.values[_SHARED_KEYS["wasserstein" if is_scaled else test.statistic]]

    def config_key(self, i: int) -> str:
        """Return the key of conf/ for the threshold of one test: the column's own, or the shared one."""
        test = self.tests[i]
        has_own_key = test.kind == "feature" and test.statistic != "missing"
        return _column_threshold_key(test.column) if has_own_key else _SHARED_KEYS[test.statistic]

    def drift_mask(self, thresholds: DriftThresholds) -> Bools:
        """Return which tests have the verdict drift, shape (n_windows, n_tests), with Holm's correction by window."""
        n_tests = len(self.tests)
        order = np.argsort(self.p_values, axis=1, kind="stable")
        sorted_p = np.take_along_axis(self.p_values, order, axis=1)
        passes = np.logical_and.accumulate(sorted_p < thresholds.alpha / (n_tests - np.arange(n_tests)), axis=1)
        significant = np.zeros_like(passes)
        np.put_along_axis(significant, order, passes, axis=1)
        return np.asarray(significant & (self.values > self.test_thresholds(thresholds)))

    def consecutive_drift_mask(self, thresholds: DriftThresholds) -> Bools:
        """Return the drift mask, limited to columns that drift in `consecutive_windows` windows up to this one."""
        mask = self.drift_mask(thresholds)
        columns = [name[:2] for name in self.test_names]
        by_column = np.stack(
            [mask[:, [other == column for other in columns]].any(axis=1) for column in columns], axis=1
        )
        is_confirmed = by_column.copy()
        for back in range(1, thresholds.consecutive_windows):
            earlier = np.zeros_like(by_column)
            earlier[back:] = by_column[:-back]
            is_confirmed &= earlier
        return mask & is_confirmed

    def alert_mask(self, thresholds: DriftThresholds) -> Bools:
        """Return which windows have drift that raises an alert, shape (n_windows,)."""
        return np.asarray(self.consecutive_drift_mask(thresholds).any(axis=1))


def count_incidents(is_alerting: Bools) -> int:
    """Return the number of runs of alerting windows."""
    return int((is_alerting & ~np.concatenate([[False], is_alerting[:-1]])).sum())


def search_wider_thresholds(
    thresholds: DriftThresholds,
    unshifted: WindowCollection,
    shifted: Sequence[tuple[WindowCollection, Bools]],
    max_alert_share: float,
) -> DriftThresholds | None:
    """Return the thresholds with the highest power whose share of false alarms is at most `max_alert_share`.

    Parameters
    ----------
    thresholds : DriftThresholds
        The declared ones; returned when they meet the share already.
    unshifted : WindowCollection
        Windows without drift, independent of each other.
    shifted : sequence of (WindowCollection, mask of the tests of the shifted column)
    max_alert_share : float between 0 and 1

    Returns
    -------
    DriftThresholds or None
        None when no combination of the search grid meets the share.
    """
    best_rank: tuple[float, float, float] | None = None
    best = None
    for scale in _THRESHOLD_SCALES:
        for alpha in _ALPHA_SCALES:
            candidate = thresholds.scaled(scale, alpha)
            if unshifted.drift_mask(candidate).any(axis=1).mean() > max_alert_share:
                continue
            if (scale, alpha) == (1.0, 1.0):
                return thresholds
            powers = [
                windows.drift_mask(candidate)[:, is_shifted].any(axis=1).mean() for windows, is_shifted in shifted
            ]
            rank = (-round(float(np.mean(powers)), 3) if powers else 0.0, scale, -alpha)
            if best_rank is None or rank < best_rank:
                best_rank, best = rank, candidate
    return best


def raise_column_thresholds(
    thresholds: DriftThresholds, logged_windows: WindowCollection, max_incidents: int
) -> DriftThresholds:
    """Return thresholds under which consecutive logged windows have at most so many incidents.

    Each step raises one threshold, by the smallest relative step that silences a window. So the noisiest columns
    get higher thresholds, and the others do not change.
    """
    while count_incidents(logged_windows.alert_mask(thresholds)) > max_incidents:
        is_drift = logged_windows.consecutive_drift_mask(thresholds)
        current = logged_windows.test_thresholds(thresholds)
        steps = []
        for i in np.flatnonzero(is_drift.any(axis=0)).tolist():
            value = float(logged_windows.values[is_drift[:, i], i].min())
            scale = logged_windows.scale_of_key(i, thresholds)
            steps.append((value / current[i], logged_windows.config_key(i), value / scale))
        _, key, value = min(steps)
        thresholds = thresholds.with_values({key: _round_up(value * _RAISE_MARGIN)})
    return thresholds


def _column_threshold_key(column: str) -> str:
    return f"data.columns.{column}.drift_limit"


def _round_up(value: float) -> float:
    """Return the smallest number with two significant digits that is not below `value`."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(round(value / unit, 6)) * unit:.6g}")
