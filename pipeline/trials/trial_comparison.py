"""Compare challenger and champion on the outcomes so far: read what is new in the log, and sum it by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import state as store
from pipeline.state import HOUR_US
from pipeline.trials.paired_losses import ModelPair, sum_paired_differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from pipeline.package import PackageStore
    from pipeline.state import State, Trial, TrialSums, TrialUnit

    Floats = NDArray[np.float64]

__all__ = ["Comparison", "load_pair", "read_comparison", "recompute_comparison", "update_comparison"]

_BATCH_OUTCOMES = 100_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """The sums of complete hours, in their order; each array has one value for each hour with outcomes.

    Attributes
    ----------
    metric : str
        Metric of the differences: the loss of the champion minus that of the challenger.
    weights, sums, squares : float arrays, shape (n_hours,)
        Predictions that the outcomes represent, and sums of the differences and of their squares.
    n_outcomes : int
    n_disagreements : int
        Rows for which the two predict different classes.
    until_outcome : int
        Number of the last outcome that was read.
    compared_at : int
        In microseconds since 1970, UTC; hours that end later do not count.
    """

    metric: str
    weights: Floats
    sums: Floats
    squares: Floats
    n_outcomes: int
    n_disagreements: int
    until_outcome: int
    compared_at: int

    @property
    def disagreement(self) -> float:
        """Share of the rows for which the two predict different classes; 0 without rows."""
        return self.n_disagreements / self.n_outcomes if self.n_outcomes else 0.0


def load_pair(packages: PackageStore, trial: Trial) -> ModelPair:
    """Return the packages of a trial.

    Raises
    ------
    IntegrityError
        When a package is missing or damaged.
    """
    champion, challenger = packages.load(trial.champion_digest), packages.load(trial.challenger_digest)
    return ModelPair(champion, challenger, is_live=trial.method == "live")


def update_comparison(state: State, packages: PackageStore, trial: Trial) -> Comparison:
    """Add the outcomes that arrived since the last call to the sums of a trial, and return the comparison.

    Sums and position are committed together, so each outcome counts once even when the process is killed.

    Raises
    ------
    Conflict
        When another process updates the same trial.
    DataError
        When a package cannot score a logged row.
    IntegrityError
        When a package is missing or damaged.
    """
    with state.reading() as connection:
        after, last = store.read_trial_progress(connection, trial.seq), store.last_outcome_seq(connection)
    if last > after:
        pair = load_pair(packages, trial)
        for until, changes in _iter_changes(state, trial, pair, after=after, last=last):
            with state.writing() as connection:
                store.add_trial_sums(connection, trial.seq, changes, after=after, until=until)
            after = until
    return read_comparison(state, trial)


def read_comparison(state: State, trial: Trial) -> Comparison:
    """Return the comparison of what was added to the sums of a trial, as of now or of its decision."""
    compared_at = state.clock() if trial.decided_at is None else trial.decided_at
    with state.reading() as connection:
        sums = store.read_trial_sums(connection, trial.seq)
        until_outcome = store.read_trial_progress(connection, trial.seq)
    return _comparison_of(trial, sums, until_outcome=until_outcome, compared_at=compared_at)


def recompute_comparison(
    state: State, packages: PackageStore, trial: Trial, *, until_outcome: int, compared_at: int
) -> Comparison:
    """Return the comparison as of an outcome and a moment, from log and outcomes alone."""
    total: dict[TrialUnit, TrialSums] = {}
    pair = load_pair(packages, trial)
    for _, changes in _iter_changes(state, trial, pair, after=0, last=until_outcome):
        for unit, change in changes.items():
            total[unit] = total[unit] + change if unit in total else change
    return _comparison_of(trial, total, until_outcome=until_outcome, compared_at=compared_at)


def _iter_changes(
    state: State, trial: Trial, pair: ModelPair, *, after: int, last: int
) -> Iterator[tuple[int, dict[TrialUnit, TrialSums]]]:
    """Yield the sums of outcomes in (after, last] in parts, each with the number of its last outcome."""
    while after < last:
        until = min(after + _BATCH_OUTCOMES, last)
        with state.reading() as connection:
            outcomes = store.read_arrived_outcomes(
                connection,
                trial.model,
                pair.digests,
                after=after,
                until=until,
                fresh_from=trial.fresh_from,
                shadow_digest=trial.challenger_digest if pair.is_live else None,
            )
        yield until, sum_paired_differences(outcomes, pair, split_share=trial.settings.get("split_share"))
        after = until


def _comparison_of(
    trial: Trial, sums: Mapping[TrialUnit, TrialSums], *, until_outcome: int, compared_at: int
) -> Comparison:
    metric = str(trial.settings["trial"]["metric"])
    units = [
        unit_sums
        for unit, unit_sums in sorted(sums.items())
        if unit.metric == metric and unit.start + HOUR_US <= compared_at
    ]
    return Comparison(
        metric=metric,
        weights=_column(units, "weight"),
        sums=_column(units, "sum"),
        squares=_column(units, "sum_squares"),
        n_outcomes=sum(unit.n_rows for unit in units),
        n_disagreements=sum(unit.n_disagreements for unit in units),
        until_outcome=until_outcome,
        compared_at=compared_at,
    )


def _column(units: list[TrialSums], name: str) -> Any:
    return np.array([getattr(unit, name) for unit in units], dtype=np.float64)
