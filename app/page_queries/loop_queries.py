"""Query the loop: its runs, trials with their comparisons, and retrains. Nothing is cached: people act on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.trials import current_verdict, gain_band, read_comparison
from pipeline.trials.traffic_history import traffic_by_hour

from .. import queries

if TYPE_CHECKING:
    from pipeline.state import Incident, LoopRun, Retrain, Trial
    from pipeline.trials import GainPoint, TrialVerdict
    from pipeline.trials.traffic_history import HourlyTraffic

__all__ = [
    "LoopOverview",
    "TrialComparison",
    "find_loop_run",
    "hourly_traffic",
    "incidents_at",
    "loop_overview",
    "recent_runs",
    "trial_comparison",
]

_DAY_US = 86_400_000_000
_MAX_RUNS = 500
_MAX_IDLE_RUNS = 50
_MAX_INCIDENTS = 200


@dataclass(frozen=True, slots=True)
class LoopOverview:
    """What the loop did for a model; runs, trials and retrains are the newest first.

    Attributes
    ----------
    last_run : LoopRun or None
        The newest run, whether something happened or not.
    runs : tuple of LoopRun
        Runs in which something happened.
    n_retrains_today : int
        Retrains in the last 24 hours, of at most `lifecycle.max_retrains_per_day`.
    """

    last_run: LoopRun | None
    runs: tuple[LoopRun, ...]
    trials: tuple[Trial, ...]
    retrains: tuple[Retrain, ...]
    n_retrains_today: int

    @property
    def is_empty(self) -> bool:
        """Whether the loop never ran, and no trial was opened."""
        return self.last_run is None and not self.trials and not self.retrains


@dataclass(frozen=True, slots=True)
class TrialComparison:
    """The comparison of a trial: its verdict now, and the gain with its interval after each hour."""

    verdict: TrialVerdict
    band: tuple[GainPoint, ...]


def loop_overview(model: str) -> LoopOverview:
    """Return what the loop did for a model; empty before the first registration."""
    if not queries.has_state():
        return LoopOverview(None, (), (), (), 0)
    state = queries.state()
    with state.reading() as connection:
        retrains = store.read_retrains(connection, model)
        return LoopOverview(
            last_run=store.last_loop_run(connection, model),
            runs=tuple(store.read_loop_runs(connection, model, limit=_MAX_RUNS, acted=True)),
            trials=tuple(reversed(store.read_trials(connection, model))),
            retrains=tuple(reversed(retrains)),
            n_retrains_today=sum(retrain.asked_at > state.clock() - _DAY_US for retrain in retrains),
        )


def trial_comparison(trial: Trial) -> TrialComparison:
    """Return the comparison of a trial as far as the loop has read the log."""
    state = queries.state()
    comparison = read_comparison(state, trial)
    verdict = current_verdict(state, trial, comparison)
    return TrialComparison(verdict, gain_band(comparison, trial, alpha=verdict.alpha))


def recent_runs(model: str) -> list[LoopRun]:
    """Return the newest runs of the loop, also those in which nothing happened."""
    with queries.state().reading() as connection:
        return store.read_loop_runs(connection, model, limit=_MAX_IDLE_RUNS)


def find_loop_run(number: int) -> LoopRun:
    """Return the run of the loop with a number; UsageError when there is none."""
    with queries.state().reading() as connection:
        return store.find_loop_run(connection, number)


def hourly_traffic(trial: int) -> list[HourlyTraffic]:
    """Return the traffic of champion and challenger in each hour of a trial; empty without a canary."""
    with queries.state().reading() as connection:
        return traffic_by_hour(store.read_variant_traffic(connection, trial, includes_earlier_hours=True))


def incidents_at(model: str, moment: int) -> list[Incident]:
    """Return the incidents that were open at a moment, among the newest ones."""
    with queries.state().reading() as connection:
        incidents = store.read_incidents(connection, model, unresolved_only=False, limit=_MAX_INCIDENTS)
    return [
        incident
        for incident in incidents
        if incident.opened_at <= moment and (incident.resolved_at is None or moment < incident.resolved_at)
    ]
