"""Replay the drift rules: over the past log, and over windows drawn from the reference with shifts of known size."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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
from pipeline.monitoring.drift.detection import column_pairs, column_tests
from pipeline.monitoring.log.bin_counts import OUTPUTS, BinCounts, reference_counts
from pipeline.simulation.drift_injection import plan_drift_injections
from pipeline.simulation.row_sampler import sample_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config.groups.monitoring_config import DriftConfig
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
_N_SHIFT_VALUES = 100_000  # values from which the shares of a moved column are taken
_SHIFT_SIZES = (0.2, 0.3, 0.5)
_CATEGORY_SHARE_DROPS = (0.05, 0.1)
_MISSING_SHARE_INCREASE = 0.05


@dataclass(frozen=True, slots=True)
class AlertBudget:
    """How many alerts a person wants at most, for windows of a length."""

    alerts_per_week: float
    window_hours: float

    @property
    def max_alert_share(self) -> float:
        """Largest share of windows that may raise something, where each is an alert of its own."""
        return min(1.0, self.alerts_per_week * self.window_hours / _HOURS_PER_WEEK)

    def max_alerts(self, n_windows: int) -> int:
        """Return how many alerts so many windows in a row may hold; a part of one counts as one."""
        return math.ceil(round(self.alerts_per_week * n_windows * self.window_hours / _HOURS_PER_WEEK, 9))


@dataclass(frozen=True, slots=True)
class WindowSampling:
    """How many windows are drawn; `n_rows` is the size of each, that of the usual window of the log when None."""

    n_windows: int
    seed: int
    n_rows: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedWindow:
    """One window of the log; `degraded` are figures that outcomes show to be worse, None where nobody looked."""

    since: str
    until: str
    counts: BinCounts
    degraded_metrics: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class BacktestIncident:
    """Windows in a row that raise something: columns with their largest value and its limit, the worst first."""

    since: str
    until: str
    n_windows: int
    columns: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class DetectionPower:
    """A change of known size that was put into drawn windows: the share of them in which its column was named."""

    column: str
    change: str
    power: float
    power_with_proposal: float


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What the rules would have raised and missed, and limits that keep the budget.

    `false_alarms` is the share of drawn windows without drift that raise something, with a 95 % interval.
    `proposal` has keys of conf/ with both values and is None where no limit that was tried keeps the budget.
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
        return {
            "budget": {"per_week": self.budget.alerts_per_week, "window_hours": self.budget.window_hours},
            "past": {
                "n_windows": self.n_logged_windows,
                "n_judged": self.n_evaluated_windows,
                "allowed": self.budget.max_alerts(self.n_evaluated_windows),
                "incidents": [
                    {
                        "since": one.since,
                        "until": one.until,
                        "n_windows": one.n_windows,
                        "columns": [{"column": c, "value": v, "limit": limit} for c, v, limit in one.columns],
                    }
                    for one in self.incidents
                ],
                "missed": [
                    {"since": one.since, "until": one.until, "degraded": one.degraded_metrics}
                    for one in self.missed_degradations
                ],
                "n_incidents_with_proposal": self.n_incidents_with_proposal,
            },
            "draws": {
                "n_windows": self.n_simulated_windows,
                "n_rows": self.n_rows,
                "false_alarms": list(self.false_alarm_rate),
                "false_alarms_with_proposal": list(self.false_alarm_rate_with_proposal),
                "found": [
                    {
                        "column": one.column,
                        "change": one.change,
                        "found": one.power,
                        "with_proposal": one.power_with_proposal,
                    }
                    for one in self.detection_powers
                ],
            },
            "is_budget_kept": self.proposal is not None,
            "proposal": [{"key": key, "before": before, "after": after} for key, (before, after) in changes.items()],
        }


def backtest_drift_rules(
    reference: Reference,
    schema: Schema,
    config: DriftConfig,
    budget: AlertBudget,
    *,
    logged_windows: Sequence[LoggedWindow] = (),
    min_rows: int,
    sampling: WindowSampling,
) -> BacktestReport:
    """Return what the rules raise and miss, and limits that keep the budget; equal inputs give equal results.

    Parameters
    ----------
    reference : Reference
        As far as the log can be compared with it.
    schema : Schema
    config : DriftConfig
    budget : Budget
    past : sequence of Past
        Windows of the log in a row, the earliest first; those with fewer than `min_rows` rows are not judged.
    min_rows : int
    draws : Draws

    Notes
    -----
    First, limits are widened or the chance of a false alarm is lowered until drawn windows without drift keep
    the budget, whichever finds most of the shifts. Then limits of single columns are raised until the past log
    keeps it too.
    """
    judged = [one for one in logged_windows if one.counts.n_rows >= min_rows]
    usual = int(np.median([one.counts.n_rows for one in judged])) if judged else 5 * min_rows
    n_rows, n_draws = max(sampling.n_rows if sampling.n_rows is not None else usual, min_rows), sampling.n_windows
    before = DriftThresholds.from_config(config, schema.drift_limits)
    rng = np.random.default_rng(sampling.seed)
    asking = _WindowSimulator(reference, schema, config)
    calm = asking.simulate_without_drift(n_rows, n_draws, rng)
    moved = asking.simulate_shifts(calm, n_rows, n_draws, rng)
    log = WindowCollection.from_tests([asking.tests_of(one.counts) for one in judged])
    after = search_wider_thresholds(
        before, calm, [(windows, which) for _, _, windows, which in moved], budget.max_alert_share
    )
    if after is not None and judged:
        after = raise_column_thresholds(after, log, budget.max_alerts(len(judged)))
    ends = after if after is not None else before
    raised = log.consecutive_drift_mask(before) if judged else np.zeros((0, 0), dtype=bool)
    return BacktestReport(
        budget, len(logged_windows), len(judged), _group_incidents(judged, log, raised, before), _missed_degradations(judged, raised),
        n_rows, n_draws, _false_alarm_rate(calm, before),
        tuple(
            DetectionPower(name, change, *(float(windows.drift_mask(one)[:, which].any(axis=1).mean()) for one in (before, ends)))
            for name, change, windows, which in moved
        ),
        None if after is None else before.changes_to(after), _false_alarm_rate(calm, ends),
        count_incidents(log.alert_mask(ends)) if judged else 0, ends,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _WindowSimulator:
    """Asks the questions of the rules of windows that are logged or drawn."""

    reference: Reference
    schema: Schema
    config: DriftConfig

    def tests_of(self, counts: BinCounts, before: BinCounts | None = None) -> list[Any]:
        """Return the tests of one window, against the reference or another baseline."""
        pairs = column_pairs(self.reference, before or reference_counts(self.reference), counts)
        return [
            test
            for pair in pairs
            for test in column_tests(pair, self.config, self.config.alpha, column_thresholds=self.schema.drift_limits)
        ]

    def simulate_without_drift(self, n_rows: int, n_draws: int, rng: np.random.Generator) -> WindowCollection:
        """Return windows without drift; columns are drawn independently of each other.

        The baseline of each is drawn as well: training rows were a sample too, and a small one is off by chance.
        """
        before, now = (self._simulate_counts(n, n_draws, rng) for n in (self.reference.n_rows, n_rows))
        return WindowCollection.from_tests([self.tests_of(now[i], before[i]) for i in range(n_draws)])

    def _simulate_counts(self, n_rows: int, n_draws: int, rng: np.random.Generator) -> list[BinCounts]:
        said = zip(OUTPUTS, (self.reference.score, self.reference.confidence, self.reference.classes), strict=True)
        features = {
            bins.name: _sample_counts(_bin_shares(bins), n_rows, n_draws, rng) for bins in self.reference.columns
        }
        outputs = {name: _sample_counts(_bin_shares(bins), n_rows, n_draws, rng) for name, bins in said}
        return [
            BinCounts(
                n_rows,
                {name: counts[i] for name, counts in features.items()},
                {name: counts[i] for name, counts in outputs.items()},
            )
            for i in range(n_draws)
        ]

    def simulate_shifts(
        self, calm: WindowCollection, n_rows: int, n_draws: int, rng: np.random.Generator
    ) -> list[tuple[str, str, WindowCollection, Any]]:
        """Return, for each column and change, the calm windows with that column moved."""
        found = []
        for bins in self.reference.columns:
            column = self.schema.column(bins.name)
            values = sample_column(bins, column, n_rows=_N_SHIFT_VALUES, rng=rng)
            for words, change in _column_changes(column, bins):
                movement = plan_drift_injections([change], self.schema, values.to_frame(column.name))[0]
                counts = bins.finest.count(movement.apply(values, rng))
                n_reference = self.reference.n_rows
                before, now = (
                    [BinCounts(n, {bins.name: one}) for one in _sample_counts(shares, n, n_draws, rng)]
                    for n, shares in ((n_reference, _bin_shares(bins)), (n_rows, counts / counts.sum()))
                )
                windows = calm.with_tests(
                    WindowCollection.from_tests([self.tests_of(*both) for both in zip(now, before, strict=True)])
                )
                which = np.array([name[:2] == ("feature", bins.name) for name in windows.test_names])
                found.append((bins.name, words, windows, which))
        return found


def _column_changes(column: Column, bins: Bins) -> list[tuple[str, DriftInjectionConfig]]:
    changes = []
    if column.is_numeric:
        changes = [(f"shift {size}", DriftInjectionConfig(column=column.name, shift=size)) for size in _SHIFT_SIZES]
    elif column.kind in ("category", "boolean"):
        counts = np.array(bins.counts[:-2], dtype=np.float64)
        share, word = float(counts.max() / max(counts.sum(), 1)), str(bins.points[int(counts.argmax())])
        for size in _CATEGORY_SHARE_DROPS:
            change = DriftInjectionConfig(column=column.name, word=word, share=max(share - size, 0.0))
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


def _sample_counts(shares: Any, n_rows: int, n_draws: int, rng: np.random.Generator) -> Any:
    return rng.multinomial(n_rows, shares, size=n_draws).astype(np.int64)


def _false_alarm_rate(calm: WindowCollection, limits: DriftThresholds) -> tuple[float, float, float]:
    """Return the share of windows that raise something, with its exact (Clopper-Pearson) 95 % interval."""
    from scipy.special import betaincinv

    raised = np.asarray(calm.drift_mask(limits).any(axis=1))
    k, n = int(raised.sum()), len(raised)
    low = float(betaincinv(k, n - k + 1, 0.025)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0
    return k / n, low, high


def _group_incidents(
    judged: Sequence[LoggedWindow], log: WindowCollection, raised: Any, limits: DriftThresholds
) -> tuple[BacktestIncident, ...]:
    found, bounds = [], log.test_thresholds(limits)
    start = None
    for i, is_raised in enumerate([*raised.any(axis=1), False]):
        if is_raised and start is None:
            start = i
        if not is_raised and start is not None:
            some = slice(start, i)
            columns = [
                (log.tests[t].column, float(log.values[some][raised[some, t], t].max()), float(bounds[t]))
                for t in np.flatnonzero(raised[some].any(axis=0)).tolist()
            ]
            worst = tuple(sorted(columns, key=lambda one: -one[1] / one[2]))
            found.append(BacktestIncident(judged[start].since, judged[i - 1].until, i - start, worst))
            start = None
    return tuple(found)


def _missed_degradations(judged: Sequence[LoggedWindow], raised: Any) -> tuple[LoggedWindow, ...]:
    return tuple(
        one for one, silent in zip(judged, ~raised.any(axis=1), strict=True) if silent and one.degraded_metrics
    )
