"""Query the loop: its runs, trials with their comparisons, and retrains. Nothing is cached: people act on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app import queries
from pipeline import state as store
from pipeline.trials import current_verdict, gain_band, read_comparison

if TYPE_CHECKING:
    from pipeline.state import LoopRun, Retrain, Trial
    from pipeline.trials import GainPoint, TrialVerdict

__all__ = ["LoopOverview", "TrialComparison", "loop_overview", "trial_comparison"]

_DAY_US = 86_400_000_000
_MAX_RUNS = 500


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
