"""Replay the drift rules: over the past log, and over windows drawn from the reference with shifts of known size."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.groups.scenario import ChangeConfig
from pipeline.monitoring.counting import OUTPUTS, Counts, reference_counts
from pipeline.monitoring.judging import column_pairs, column_tests
from pipeline.monitoring.proposing import Limits, Windows, n_incidents, quieter, raise_limits
from pipeline.simulation.drawing import draw_column
from pipeline.simulation.moving import plan_movements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config.groups.live import DriftConfig
    from pipeline.package import Bins, Reference
    from pipeline.schema import Column, Schema

__all__ = ["Backtest", "Budget", "Draws", "Incident", "Past", "Sought", "backtest"]

_HOURS_PER_WEEK = 168
_SAMPLE = 100_000  # values from which the shares of a moved column are taken
_SHIFTS = (0.2, 0.3, 0.5)
_WORD_MOVES = (0.05, 0.1)
_MISSING = 0.05


@dataclass(frozen=True, slots=True)
class Budget:
    """How many alerts a person wants at most, for windows of a length."""

    per_week: float
    window_hours: float

    @property
    def share(self) -> float:
        """Largest share of windows that may raise something, where each is an alert of its own."""
        return min(1.0, self.per_week * self.window_hours / _HOURS_PER_WEEK)

    def allowed(self, n_windows: int) -> int:
        """Return how many alerts so many windows in a row may hold; a part of one counts as one."""
        return math.ceil(round(self.per_week * n_windows * self.window_hours / _HOURS_PER_WEEK, 9))


@dataclass(frozen=True, slots=True)
class Draws:
    """How many windows are drawn; `n_rows` is the size of each, that of the usual window of the log when None."""

    n_windows: int
    seed: int
    n_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """One window of the log; `degraded` are figures that outcomes show to be worse, None where nobody looked."""

    since: str
    until: str
    counts: Counts
    degraded: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Windows in a row that raise something: columns with their largest value and its limit, the worst first."""

    since: str
    until: str
    n_windows: int
    columns: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Sought:
    """A change of known size that was put into drawn windows: the share of them in which its column was named."""

    column: str
    change: str
    found: float
    found_with_proposal: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """What the rules would have raised and missed, and limits that keep the budget.

    `false_alarms` is the share of drawn windows without drift that raise something, with a 95 % interval.
    `proposal` has keys of conf/ with both values and is None where no limit that was tried keeps the budget.
    """

    budget: Budget
    n_past: int
    n_past_judged: int
    incidents: tuple[Incident, ...]
    missed: tuple[Past, ...]
    n_rows: int
    n_draws: int
    false_alarms: tuple[float, float, float]
    sought: tuple[Sought, ...]
    proposal: Mapping[str, tuple[float | None, float]] | None
    false_alarms_with_proposal: tuple[float, float, float]
    n_incidents_with_proposal: int
    limits: Limits = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        changes = self.proposal or {}
        return {
            "budget": {"per_week": self.budget.per_week, "window_hours": self.budget.window_hours},
            "past": {
                "n_windows": self.n_past,
                "n_judged": self.n_past_judged,
                "allowed": self.budget.allowed(self.n_past_judged),
                "incidents": [
                    {
                        "since": one.since,
                        "until": one.until,
                        "n_windows": one.n_windows,
                        "columns": [{"column": c, "value": v, "limit": limit} for c, v, limit in one.columns],
                    }
                    for one in self.incidents
                ],
                "missed": [{"since": one.since, "until": one.until, "degraded": one.degraded} for one in self.missed],
                "n_incidents_with_proposal": self.n_incidents_with_proposal,
            },
            "draws": {
                "n_windows": self.n_draws,
                "n_rows": self.n_rows,
                "false_alarms": list(self.false_alarms),
                "false_alarms_with_proposal": list(self.false_alarms_with_proposal),
                "found": [
                    {
                        "column": one.column,
                        "change": one.change,
                        "found": one.found,
                        "with_proposal": one.found_with_proposal,
                    }
                    for one in self.sought
                ],
            },
            "is_budget_kept": self.proposal is not None,
            "proposal": [{"key": key, "before": before, "after": after} for key, (before, after) in changes.items()],
        }


def backtest(
    reference: Reference,
    schema: Schema,
    config: DriftConfig,
    budget: Budget,
    *,
    past: Sequence[Past] = (),
    min_rows: int,
    draws: Draws,
) -> Backtest:
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
    judged = [one for one in past if one.counts.n_rows >= min_rows]
    usual = int(np.median([one.counts.n_rows for one in judged])) if judged else 5 * min_rows
    n_rows, n_draws = max(draws.n_rows if draws.n_rows is not None else usual, min_rows), draws.n_windows
    own = {one.name: one.drift_limit for one in schema.columns if one.drift_limit is not None}
    before = Limits.of(config, own)
    rng = np.random.default_rng(draws.seed)
    asking = _Asking(reference, schema, config, own)
    calm = asking.drawn(n_rows, n_draws, rng)
    moved = asking.moved(calm, n_rows, n_draws, rng)
    log = Windows.of([asking.of(one.counts) for one in judged])
    after = quieter(before, calm, [(windows, which) for _, _, windows, which in moved], budget.share)
    if after is not None and judged:
        after = raise_limits(after, log, budget.allowed(len(judged)))
    ends = after if after is not None else before
    raised = log.held(before) if judged else np.zeros((0, 0), dtype=bool)
    return Backtest(
        budget, len(past), len(judged), _incidents(judged, log, raised, before), _missed(judged, raised),
        n_rows, n_draws, _share(calm, before),
        tuple(
            Sought(name, change, *(float(windows.drifted(one)[:, which].any(axis=1).mean()) for one in (before, ends)))
            for name, change, windows, which in moved
        ),
        None if after is None else before.changes(after), _share(calm, ends),
        n_incidents(log.raised(ends)) if judged else 0, ends,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks the questions of the rules of windows that are logged or drawn."""

    reference: Reference
    schema: Schema
    config: DriftConfig
    own: Mapping[str, float]

    def of(self, counts: Counts, before: Counts | None = None) -> list[Any]:
        """Return the tests of one window, against the reference or another baseline."""
        pairs = column_pairs(self.reference, before or reference_counts(self.reference), counts)
        return [one for pair in pairs for one in column_tests(pair, self.config, self.config.alpha, self.own)]

    def drawn(self, n_rows: int, n_draws: int, rng: np.random.Generator) -> Windows:
        """Return windows without drift; columns are drawn independently of each other.

        The baseline of each is drawn as well: training rows were a sample too, and a small one is off by chance.
        """
        before, now = (self._counts(n, n_draws, rng) for n in (self.reference.n_rows, n_rows))
        return Windows.of([self.of(now[i], before[i]) for i in range(n_draws)])

    def _counts(self, n_rows: int, n_draws: int, rng: np.random.Generator) -> list[Counts]:
        said = zip(OUTPUTS, (self.reference.score, self.reference.confidence, self.reference.classes), strict=True)
        features = {bins.name: _draws(_shares(bins), n_rows, n_draws, rng) for bins in self.reference.columns}
        outputs = {name: _draws(_shares(bins), n_rows, n_draws, rng) for name, bins in said}
        return [
            Counts(
                n_rows,
                {name: counts[i] for name, counts in features.items()},
                {name: counts[i] for name, counts in outputs.items()},
            )
            for i in range(n_draws)
        ]

    def moved(
        self, calm: Windows, n_rows: int, n_draws: int, rng: np.random.Generator
    ) -> list[tuple[str, str, Windows, Any]]:
        """Return, for each column and change, the calm windows with that column moved."""
        found = []
        for bins in self.reference.columns:
            column = self.schema.column(bins.name)
            values = draw_column(bins, column, n_rows=_SAMPLE, rng=rng)
            for words, change in _changes(column, bins):
                movement = plan_movements([change], self.schema, values.to_frame(column.name))[0]
                counts = bins.finest.count(movement.of(values, rng))
                n_reference = self.reference.n_rows
                before, now = (
                    [Counts(n, {bins.name: one}) for one in _draws(shares, n, n_draws, rng)]
                    for n, shares in ((n_reference, _shares(bins)), (n_rows, counts / counts.sum()))
                )
                windows = calm.with_tests(Windows.of([self.of(*both) for both in zip(now, before, strict=True)]))
                which = np.array([name[:2] == ("feature", bins.name) for name in windows.names])
                found.append((bins.name, words, windows, which))
        return found


def _changes(column: Column, bins: Bins) -> list[tuple[str, ChangeConfig]]:
    changes = []
    if column.is_numeric:
        changes = [(f"shift {size}", ChangeConfig(column=column.name, shift=size)) for size in _SHIFTS]
    elif column.kind in ("category", "boolean"):
        counts = np.array(bins.counts[:-2], dtype=np.float64)
        share, word = float(counts.max() / max(counts.sum(), 1)), str(bins.points[int(counts.argmax())])
        for size in _WORD_MOVES:
            change = ChangeConfig(column=column.name, word=word, share=max(share - size, 0.0))
            changes.append((f"share -{size}", change))
    if column.nullable:
        missing = min(bins.counts[-1] / max(sum(bins.counts), 1) + _MISSING, 1.0)
        changes.append((f"missing +{_MISSING}", ChangeConfig(column=column.name, missing=missing)))
    return changes


def _shares(bins: Bins) -> Any:
    counts = np.array(bins.finest.counts, dtype=np.float64)
    return counts / counts.sum()


def _draws(shares: Any, n_rows: int, n_draws: int, rng: np.random.Generator) -> Any:
    return rng.multinomial(n_rows, shares, size=n_draws).astype(np.int64)


def _share(calm: Windows, limits: Limits) -> tuple[float, float, float]:
    """Return the share of windows that raise something, with its exact (Clopper-Pearson) 95 % interval."""
    from scipy.special import betaincinv

    raised = np.asarray(calm.drifted(limits).any(axis=1))
    k, n = int(raised.sum()), len(raised)
    low = float(betaincinv(k, n - k + 1, 0.025)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0
    return k / n, low, high


def _incidents(judged: Sequence[Past], log: Windows, raised: Any, limits: Limits) -> tuple[Incident, ...]:
    found, bounds = [], log.limits(limits)
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
            found.append(Incident(judged[start].since, judged[i - 1].until, i - start, worst))
            start = None
    return tuple(found)


def _missed(judged: Sequence[Past], raised: Any) -> tuple[Past, ...]:
    return tuple(one for one, silent in zip(judged, ~raised.any(axis=1), strict=True) if silent and one.degraded)
