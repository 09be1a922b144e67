"""Backtest the drift rules on logged windows, and on windows simulated from the reference with known shifts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.groups.scenario_config import DriftInjectionConfig
from pipeline.monitoring.backtest.threshold_search import (
    DriftThresholds,
    WindowCollection,
    count_incidents,
    raise_column_thresholds,
    search_wider_thresholds,
)
from pipeline.monitoring.drift.column_tests import column_pairs, column_tests
from pipeline.monitoring.log.bin_counts import PREDICTION_OUTPUTS, BinCounts, reference_counts
from pipeline.simulation.drift_injection import plan_drift_injections
from pipeline.simulation.row_sampler import sample_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config.groups.drift_config import DriftConfig
    from pipeline.monitoring.drift.column_tests import ColumnTest
    from pipeline.package import Bins, Reference
    from pipeline.schema import Column, Schema

__all__ = [
    "AlertBudget",
    "BacktestIncident",
    "BacktestReport",
    "DetectionPower",
    "LoggedWindow",
    "WindowSampling",
    "backtest_drift_rules",
]

_HOURS_PER_WEEK = 168
_N_SHIFT_VALUES = 100_000  # values that give the shares of a shifted column
_SHIFT_SIZES = (0.2, 0.3, 0.5)
_CATEGORY_SHARE_DROPS = (0.05, 0.1)
_MISSING_SHARE_INCREASE = 0.05


@dataclass(frozen=True, slots=True)
class AlertBudget:
    """The highest acceptable number of alerts, for windows of a length."""

    alerts_per_week: float
    window_hours: float

    @property
    def max_alert_share(self) -> float:
        """Largest share of windows with an alert, when each alert counts by itself."""
        return min(1.0, self.alerts_per_week * self.window_hours / _HOURS_PER_WEEK)

    def max_alerts(self, n_windows: int) -> int:
        """Return the number of alerts that so many consecutive windows may have; a fraction counts as one."""
        return math.ceil(round(self.alerts_per_week * n_windows * self.window_hours / _HOURS_PER_WEEK, 9))


@dataclass(frozen=True, slots=True)
class WindowSampling:
    """How many windows are simulated, of `n_rows` rows each; the median size of logged windows when None."""

    n_windows: int
    seed: int
    n_rows: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedWindow:
    """One window of the log; `degraded_metrics` are those that outcomes show, None when they were not checked."""

    since: str
    until: str
    counts: BinCounts
    degraded_metrics: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class BacktestIncident:
    """Windows with drift in a row, and (column, largest value, threshold) of each drifted column, the worst first."""

    since: str
    until: str
    n_windows: int
    columns: tuple[tuple[str, float, float], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        columns = [{"column": name, "value": value, "threshold": limit} for name, value, limit in self.columns]
        return {"since": self.since, "until": self.until, "n_windows": self.n_windows, "columns": columns}


@dataclass(frozen=True, slots=True)
class DetectionPower:
    """The share of simulated windows with a shift of known size in which the shifted column drifts."""

    column: str
    change: str
    power: float
    power_with_proposal: float


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """Alerts that the rules would have raised and degradations they would have missed, and a proposal.

    `false_alarm_rate` is the share of simulated windows without drift that alert, with a 95 % interval.
    `proposal` has keys of conf/ with both values; it is None when no tested threshold meets the budget.
    """

    budget: AlertBudget
    n_logged_windows: int
    n_evaluated_windows: int
    incidents: tuple[BacktestIncident, ...]
    missed_degradations: tuple[LoggedWindow, ...]
    n_rows: int
    n_simulated_windows: int
    false_alarm_rate: tuple[float, float, float]
    detection_powers: tuple[DetectionPower, ...]
    proposal: Mapping[str, tuple[float | None, float]] | None
    false_alarm_rate_with_proposal: tuple[float, float, float]
    n_incidents_with_proposal: int
    thresholds: DriftThresholds = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        changes = self.proposal or {}
        missed = [
            {"since": window.since, "until": window.until, "degraded_metrics": window.degraded_metrics}
            for window in self.missed_degradations
        ]
        return {
            "budget": asdict(self.budget),
            "log": {
                "n_windows": self.n_logged_windows,
                "n_evaluated_windows": self.n_evaluated_windows,
                "max_alerts": self.budget.max_alerts(self.n_evaluated_windows),
                "incidents": [incident.as_dict() for incident in self.incidents],
                "missed_degradations": missed,
                "n_incidents_with_proposal": self.n_incidents_with_proposal,
            },
            "simulation": {
                "n_windows": self.n_simulated_windows,
                "n_rows": self.n_rows,
                "false_alarm_rate": list(self.false_alarm_rate),
                "false_alarm_rate_with_proposal": list(self.false_alarm_rate_with_proposal),
                "detection_powers": [asdict(power) for power in self.detection_powers],
            },
            "meets_budget": self.proposal is not None,
            "proposal": [{"key": key, "before": before, "after": after} for key, (before, after) in changes.items()],
        }


def backtest_drift_rules(
    reference: Reference,
    schema: Schema,
    config: DriftConfig,
    *,
    budget: AlertBudget,
    logged_windows: Sequence[LoggedWindow] = (),
    min_rows: int,
    sampling: WindowSampling,
) -> BacktestReport:
    """Backtest the drift rules, and propose thresholds that meet the budget; equal inputs give equal results.

    Parameters
    ----------
    reference : Reference
        Limited to the columns that the log stores.
    schema : Schema
    config : DriftConfig
    budget : AlertBudget
    logged_windows : sequence of LoggedWindow
        Consecutive windows of the log, the earliest first; those with fewer than `min_rows` rows are not evaluated.
    min_rows : int
    sampling : WindowSampling

    Notes
    -----
    First, thresholds are widened or `alpha` is lowered until simulated windows without drift meet the budget; the
    combination with the highest power wins. Then thresholds of single columns are raised until the log meets it too.
    """
    evaluated = [window for window in logged_windows if window.counts.n_rows >= min_rows]
    median_rows = int(np.median([window.counts.n_rows for window in evaluated])) if evaluated else 5 * min_rows
    n_rows = max(sampling.n_rows if sampling.n_rows is not None else median_rows, min_rows)
    before = DriftThresholds.from_config(config, schema.drift_limits)
    simulator = _WindowSimulator(reference, schema, config, n_rows, sampling.n_windows)
    rng = np.random.default_rng(sampling.seed)
    unshifted = simulator.simulate_without_drift(rng)
    shifts = simulator.simulate_shifts(unshifted, rng)
    log = WindowCollection.from_tests([simulator.tests_of(window.counts) for window in evaluated])
    proposed = _propose_thresholds(before, budget, unshifted=unshifted, shifts=shifts, log=log)
    after = proposed if proposed is not None else before
    is_drift = log.consecutive_drift_mask(before) if evaluated else np.zeros((0, 0), dtype=bool)
    return BacktestReport(
        budget=budget,
        n_logged_windows=len(logged_windows),
        n_evaluated_windows=len(evaluated),
        incidents=_group_incidents(evaluated, log, is_drift, thresholds=before),
        missed_degradations=_missed_degradations(evaluated, is_drift),
        n_rows=n_rows,
        n_simulated_windows=sampling.n_windows,
        false_alarm_rate=_false_alarm_rate(unshifted, before),
        detection_powers=tuple(
            DetectionPower(shift.column, shift.change, shift.power(before), shift.power(after)) for shift in shifts
        ),
        proposal=None if proposed is None else before.changes_to(proposed),
        false_alarm_rate_with_proposal=_false_alarm_rate(unshifted, after),
        n_incidents_with_proposal=count_incidents(log.alert_mask(after)) if evaluated else 0,
        thresholds=after,
    )


@dataclass(frozen=True, slots=True)
class _ShiftedWindows:
    """Simulated windows with one shifted column; `is_shifted` marks the tests of that column."""

    column: str
    change: str
    windows: WindowCollection
    is_shifted: Any

    def power(self, thresholds: DriftThresholds) -> float:
        """Return the share of windows in which the shifted column drifts."""
        return float(self.windows.drift_mask(thresholds)[:, self.is_shifted].any(axis=1).mean())


@dataclass(frozen=True, slots=True)
class _WindowSimulator:
    """Simulates windows from the reference, and tests them as the rules do."""

    reference: Reference
    schema: Schema
    config: DriftConfig
    n_rows: int
    n_windows: int

    def tests_of(self, counts: BinCounts, baseline: BinCounts | None = None) -> list[ColumnTest]:
        """Return the tests of one window, against the reference or another baseline."""
        pairs = column_pairs(self.reference, baseline or reference_counts(self.reference), counts)
        thresholds = self.schema.drift_limits
        return [
            test
            for pair in pairs
            for test in column_tests(pair, self.config, self.config.alpha, column_thresholds=thresholds)
        ]

    def simulate_without_drift(self, rng: np.random.Generator) -> WindowCollection:
        """Return windows without drift; columns are sampled independently of each other.

        The baseline of each window is sampled as well, because training rows are a sample too.
        """
        baselines, windows = (self._simulate_counts(n, rng) for n in (self.reference.n_rows, self.n_rows))
        tests = [self.tests_of(*pair) for pair in zip(windows, baselines, strict=True)]
        return WindowCollection.from_tests(tests)

    def _simulate_counts(self, n_rows: int, rng: np.random.Generator) -> list[BinCounts]:
        outputs = zip(
            PREDICTION_OUTPUTS, (self.reference.score, self.reference.confidence, self.reference.classes), strict=True
        )
        feature_counts = {
            bins.name: self._sample_counts(_bin_shares(bins), n_rows, rng) for bins in self.reference.columns
        }
        output_counts = {name: self._sample_counts(_bin_shares(bins), n_rows, rng) for name, bins in outputs}
        return [
            BinCounts(
                n_rows,
                {name: counts[i] for name, counts in feature_counts.items()},
                {name: counts[i] for name, counts in output_counts.items()},
            )
            for i in range(self.n_windows)
        ]

    def simulate_shifts(self, unshifted: WindowCollection, rng: np.random.Generator) -> list[_ShiftedWindows]:
        """Return, for each column and change, the windows without drift with that column shifted."""
        shifts = []
        for bins in self.reference.columns:
            column = self.schema.column(bins.name)
            values = sample_column(bins, column, n_rows=_N_SHIFT_VALUES, rng=rng)
            for label, change in _column_changes(column, bins):
                injection = plan_drift_injections([change], self.schema, values.to_frame(column.name))[0]
                counts = bins.finest.count(injection.apply(values, rng))
                baselines, windows = (
                    [BinCounts(n, {bins.name: sample}) for sample in self._sample_counts(shares, n, rng)]
                    for n, shares in (
                        (self.reference.n_rows, _bin_shares(bins)),
                        (self.n_rows, counts / counts.sum()),
                    )
                )
                tests = [self.tests_of(*pair) for pair in zip(windows, baselines, strict=True)]
                collection = unshifted.with_tests(WindowCollection.from_tests(tests))
                is_shifted = np.array([name[:2] == ("feature", bins.name) for name in collection.test_names])
                shifts.append(_ShiftedWindows(bins.name, label, collection, is_shifted))
        return shifts

    def _sample_counts(self, shares: Any, n_rows: int, rng: np.random.Generator) -> Any:
        return rng.multinomial(n_rows, shares, size=self.n_windows).astype(np.int64)


def _propose_thresholds(
    thresholds: DriftThresholds,
    budget: AlertBudget,
    *,
    unshifted: WindowCollection,
    shifts: Sequence[_ShiftedWindows],
    log: WindowCollection,
) -> DriftThresholds | None:
    """Return thresholds that meet the budget on simulated windows and on the log, None when there are none."""
    shifted = [(shift.windows, shift.is_shifted) for shift in shifts]
    proposed = search_wider_thresholds(thresholds, unshifted, shifted, budget.max_alert_share)
    n_logged = len(log.values)
    if proposed is None or not n_logged:
        return proposed
    return raise_column_thresholds(proposed, log, budget.max_alerts(n_logged))


def _column_changes(column: Column, bins: Bins) -> list[tuple[str, DriftInjectionConfig]]:
    changes = []
    if column.is_numeric:
        changes = [(f"shift {size}", DriftInjectionConfig(column=column.name, shift=size)) for size in _SHIFT_SIZES]
    elif column.kind in ("category", "boolean"):
        counts = np.array(bins.counts[:-2], dtype=np.float64)
        share, category = float(counts.max() / max(counts.sum(), 1)), str(bins.points[int(counts.argmax())])
        for size in _CATEGORY_SHARE_DROPS:
            change = DriftInjectionConfig(column=column.name, word=category, share=max(share - size, 0.0))
            changes.append((f"share -{size}", change))
    if column.nullable:
        missing = min(bins.counts[-1] / max(sum(bins.counts), 1) + _MISSING_SHARE_INCREASE, 1.0)
        changes.append(
            (f"missing +{_MISSING_SHARE_INCREASE}", DriftInjectionConfig(column=column.name, missing=missing))
        )
    return changes


def _bin_shares(bins: Bins) -> Any:
    counts = np.array(bins.finest.counts, dtype=np.float64)
    return counts / counts.sum()


def _false_alarm_rate(unshifted: WindowCollection, thresholds: DriftThresholds) -> tuple[float, float, float]:
    """Return the share of windows with drift, and its exact (Clopper-Pearson) 95 % interval."""
    from scipy.special import betaincinv

    is_alerting = np.asarray(unshifted.drift_mask(thresholds).any(axis=1))
    k, n = int(is_alerting.sum()), len(is_alerting)
    low = float(betaincinv(k, n - k + 1, 0.025)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0
    return k / n, low, high


def _group_incidents(
    evaluated: Sequence[LoggedWindow], log: WindowCollection, is_drift: Any, *, thresholds: DriftThresholds
) -> tuple[BacktestIncident, ...]:
    """Return each run of windows with drift; `is_drift` has shape (n_windows, n_tests)."""
    incidents, test_thresholds = [], log.test_thresholds(thresholds)
    start = None
    for i, is_alerting in enumerate([*is_drift.any(axis=1), False]):
        if is_alerting and start is None:
            start = i
        if not is_alerting and start is not None:
            run = slice(start, i)
            columns = [
                (log.tests[t].column, float(log.values[run][is_drift[run, t], t].max()), float(test_thresholds[t]))
                for t in np.flatnonzero(is_drift[run].any(axis=0)).tolist()
            ]
            columns.sort(key=lambda column: -column[1] / column[2])
            worst = {column[0]: column for column in reversed(columns)}
            worst_first = tuple(column for column in columns if worst[column[0]] is column)
            incidents.append(BacktestIncident(evaluated[start].since, evaluated[i - 1].until, i - start, worst_first))
            start = None
    return tuple(incidents)


def _missed_degradations(evaluated: Sequence[LoggedWindow], is_drift: Any) -> tuple[LoggedWindow, ...]:
    return tuple(
        window
        for window, is_silent in zip(evaluated, ~is_drift.any(axis=1), strict=True)
        if is_silent and window.degraded_metrics
    )
