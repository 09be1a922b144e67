"""A race drops what is significantly worse than the leader, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.selection.fold_race import PairedDifference, RaceResult, find_leader, paired_difference, race_over_folds

N_ROWS = 400  # of a fold


class Losses:
    """Losses of configurations that share most of their luck and differ by their mean."""

    def __init__(self, gains: list[float], *, spread: float = 0.05, seed: int = 0, defined_from: int = 1) -> None:
        rng = np.random.default_rng(seed)
        shared = rng.exponential(0.3, (5, N_ROWS))
        self.values = [shared + gain + rng.normal(0, spread, shared.shape) for gain in gains]
        self.defined_from = defined_from
        self.fits: list[tuple[int, int]] = []

    def fit(self, number: int, fold: int) -> None:
        self.fits.append((number, fold))

    def of(self, number: int, n_folds: int) -> np.ndarray | None:
        return None if n_folds < self.defined_from else self.values[number][:n_folds].ravel()


def race(losses: Losses, **options: object) -> RaceResult:
    arguments = {"fit": losses.fit, "losses": losses.of, "max_distance": 2.0, **options}
    return race_over_folds(len(losses.values), 5, **arguments)


def test_the_paired_difference_is_that_of_the_rows() -> None:
    difference = paired_difference(np.array([1.0, 2.0, 6.0]), np.array([1.0, 1.0, 2.0]))
    assert difference.mean == pytest.approx(5 / 3)
    assert difference.standard_error == pytest.approx(np.std([0, 1, 4], ddof=1) / np.sqrt(3))
    assert paired_difference(np.ones(1), np.zeros(1)) == PairedDifference(1.0, 0.0)


def test_a_worse_configuration_is_dropped_after_one_fold() -> None:
    losses = Losses([0.0, 0.1, 0.0])
    result = race(losses)
    assert set(result.losses) == {0, 2}
    assert result.dropped_after == {1: 1}
    assert result.dropped[1].mean == pytest.approx(0.1, abs=0.01)
    assert result.n_fits == len(losses.fits) == 3 + 4 * 2
    assert find_leader(result.losses) in (0, 2)


def test_without_a_distance_all_are_fitted_on_all_folds() -> None:
    result = race(Losses([0.0, 0.1, 0.2]), max_distance=None)
    assert (set(result.losses), result.n_fits, result.dropped) == ({0, 1, 2}, 15, {})


def test_a_configuration_that_cannot_be_fitted_is_left_out() -> None:
    losses = Losses([0.0, 0.0, 0.0])

    def fit(number: int, fold: int) -> None:
        if (number, fold) == (0, 1):
            raise ConfigError("model.estimator: cannot be fitted")
        losses.fit(number, fold)

    result = race(losses, fit=fit)
    assert result.failures == {0: "model.estimator: cannot be fitted"}
    assert set(result.losses) == {1, 2}


@pytest.mark.parametrize(
    ("n_fits", "n_folds", "compared"), [(0, 0, set()), (2, 1, {0, 1}), (3, 1, {0, 1, 2}), (5, 1, {0, 1, 2})]
)
def test_a_stopped_race_compares_what_has_the_same_folds(n_fits: int, n_folds: int, compared: set[int]) -> None:
    losses = Losses([0.0, 0.0, 0.0])
    result = race(losses, should_stop=lambda: len(losses.fits) >= n_fits)
    assert (result.n_folds, set(result.losses), result.was_stopped) == (n_folds, compared, True)
    assert all(len(values) == n_folds * N_ROWS for values in result.losses.values())


def test_nothing_is_dropped_while_losses_are_not_defined() -> None:
    result = race(Losses([0.0, 0.1], defined_from=2))
    assert result.dropped_after == {1: 2}


def test_racing_saves_fits_and_keeps_the_best_configuration() -> None:
    """The small form of benchmarks/model_selection_race.py: share of the fits, and regret against all fits."""
    shares, regrets = [], []
    for seed in range(20):
        means = np.random.default_rng(1000 + seed).gamma(1.0, 0.004, 30)
        losses = Losses(means.tolist(), seed=seed)
        result = race(losses)
        full = {number: losses.of(number, 5) for number in range(30)}
        regrets.append(means[find_leader(result.losses)] - means[find_leader(full)])
        shares.append(result.n_fits / 150)
    assert np.mean(shares) < 0.6
    assert np.mean(regrets) < 0.0005
