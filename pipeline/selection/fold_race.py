"""Race configurations over folds: one that is significantly worse than the leader on the same rows is dropped."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import MlopsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["PairedDifference", "RaceResult", "find_leader", "paired_difference", "race_over_folds"]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean difference of the losses of two configurations on the same rows, with its standard error."""

    mean: float
    standard_error: float

    def is_beyond(self, n_standard_errors: float) -> bool:
        """Return whether the first configuration is worse by more than so many standard errors."""
        return self.mean > n_standard_errors * self.standard_error


def paired_difference(losses: Floats, leader: Floats) -> PairedDifference:
    """Return by how much `losses` are higher than those of the leader, row by row."""
    differences = losses - leader
    n = len(differences)
    return PairedDifference(float(differences.mean()), float(differences.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0)


@dataclass(slots=True)
class RaceResult:
    """The result of a race; configurations are numbered from 0.

    Attributes
    ----------
    losses : dict of int to array
        Losses by row of each configuration that was not dropped, over the first `n_folds` folds.
    dropped : dict of int to PairedDifference
        Of each dropped configuration the difference from the leader at that moment.
    dropped_after : dict of int to int
        Number of folds of each dropped configuration.
    failures : dict of int to str
        The reason of each configuration that could not be fitted.
    n_folds : int
        Folds that all remaining configurations have.
    n_fits : int
        Configurations times folds that were fitted or read from the ledger.
    was_stopped : bool
        Whether the race was ended before its last fold.
    """

    losses: dict[int, Floats] = field(default_factory=dict)
    dropped: dict[int, PairedDifference] = field(default_factory=dict)
    dropped_after: dict[int, int] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    n_folds: int = 0
    n_fits: int = 0
    was_stopped: bool = False


def race_over_folds(
    n_configurations: int,
    n_folds: int,
    *,
    fit: Callable[[int, int], None],
    losses: Callable[[int, int], Floats | None],
    max_distance: float | None,
    should_stop: Callable[[], bool] = lambda: False,
    on_fold: Callable[[int, int], None] = lambda _n_folds, _n_remaining: None,
    n_jobs: int = 1,
) -> RaceResult:
    """Fit all configurations fold by fold, and drop after each fold those that are too far behind.

    Parameters
    ----------
    n_configurations, n_folds : int
    fit : callable
        Fits a configuration (first argument) on all rows outside of a fold (second argument).
    losses : callable
        Returns the losses by row of a configuration over its first folds (second argument: how many), in the same
        order for each configuration; None while they are not defined.
    max_distance : float or None
        Standard errors of the paired difference from the leader beyond which a configuration is dropped; None drops
        none.
    should_stop : callable
        Asked before each fit. A fold that is not complete does not count, unless it is the first.
    on_fold : callable
        Called after each fold with the number of folds so far and of remaining configurations.
    n_jobs : int
        Threads; do not change the result.
    """
    result, remaining = RaceResult(), list(range(n_configurations))
    for fold in range(n_folds):
        fitted = _fit_fold(remaining, fold, fit, should_stop, result, n_jobs=n_jobs)
        if result.was_stopped:
            remaining = fitted if fold == 0 else remaining
            result.n_folds = max(fold, 1 if fitted else 0)
            break
        remaining, result.n_folds = fitted, fold + 1
        if max_distance is not None and result.n_folds < n_folds:
            remaining = _drop_distant(remaining, losses, result, max_distance=max_distance)
        on_fold(result.n_folds, len(remaining))
    for configuration in remaining:
        values = losses(configuration, result.n_folds) if result.n_folds else None
        if values is not None:
            result.losses[configuration] = values
    return result


def _fit_fold(
    remaining: Sequence[int],
    fold: int,
    fit: Callable[[int, int], None],
    should_stop: Callable[[], bool],
    result: RaceResult,
    *,
    n_jobs: int,
) -> list[int]:
    """Fit a fold and return the configurations that have it."""
    from joblib import Parallel, delayed

    def fit_one(configuration: int) -> str | None:
        if should_stop():
            result.was_stopped = True
            return "stopped"
        try:
            fit(configuration, fold)
        except MlopsError as error:
            result.failures[configuration] = str(error)
            return "failed"
        return None

    endings = Parallel(n_jobs=n_jobs, backend="threading")(delayed(fit_one)(number) for number in remaining)
    fitted = [number for number, ending in zip(remaining, endings, strict=True) if ending is None]
    result.n_fits += len(fitted)
    return fitted


def _drop_distant(
    remaining: Sequence[int],
    losses: Callable[[int, int], Floats | None],
    result: RaceResult,
    *,
    max_distance: float,
) -> list[int]:
    known = {number: values for number in remaining if (values := losses(number, result.n_folds)) is not None}
    if len(known) < len(remaining) or not known:
        return list(remaining)
    leader = known[find_leader(known)]
    near = []
    for number, values in known.items():
        difference = paired_difference(values, leader)
        if difference.is_beyond(max_distance):
            result.dropped[number], result.dropped_after[number] = difference, result.n_folds
        else:
            near.append(number)
    return near


def find_leader(losses: dict[int, Floats]) -> int:
    """Return the configuration with the lowest mean loss; the first of equal ones."""
    return min(losses, key=lambda number: (float(losses[number].mean()), number))
