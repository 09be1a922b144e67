"""Statistics from counts are those of the raw rows: scipy's where values are counted one by one, near it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from pipeline.monitoring.drift import drift_statistics
from pipeline.package import Bins
from pipeline.schema import Column, Schema, Target
from tests.pipeline.monitoring.drift_fixtures import make_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=8)


def make_bins(values: NDArray[np.float64], kind: str) -> Bins:
    column = Column("x", kind, {"float": "Float64", "integer": "Int64"}[kind], nullable=True)
    frame = pd.DataFrame({"x": values})
    return make_reference(frame, Schema("one", (column,), Target("y", ("no", "yes"), "yes"))).column("x")


def ours_and_scipy(
    before: NDArray[np.float64], after: NDArray[np.float64], kind: str
) -> tuple[list[float], list[float]]:
    """Return KS and normalized Wasserstein from counts, and scipy's; beyond the points rows count as lying there."""
    bins = make_bins(before, kind)
    shares = drift_statistics.cumulative_shares(bins, np.array(bins.finest.counts), bins.finest.count(after))
    assert shares is not None
    low, high = bins.finest.points[0], bins.finest.points[-1]
    ours = [drift_statistics.kolmogorov_smirnov(shares), drift_statistics.wasserstein(shares) / bins.deviation]
    theirs = [
        float(scipy.stats.ks_2samp(before, after, method="asymp").statistic),
        float(scipy.stats.wasserstein_distance(before.clip(low, high), after.clip(low, high))) / bins.deviation,
    ]
    return ours, theirs


@pytest.mark.parametrize("spread", [2, 9, 60, 250])
@pytest.mark.parametrize("n", [200, 20_000])
def test_whole_numbers_give_what_scipy_gives(spread: int, n: int) -> None:
    rng = np.random.default_rng(spread + n)
    before = rng.integers(0, spread, 15_000).astype(float)
    after = (rng.integers(0, spread, n) * 0.8).round()
    ours, theirs = ours_and_scipy(before, after, "integer")
    assert ours == pytest.approx(theirs, abs=1e-9)


SAMPLERS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "two humps": lambda rng, n: rng.normal(rng.choice([-3.0, 3.0], n), 0.3),
    "half zero": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, rng.exponential(size=n)),
    "few values": lambda rng, n: rng.choice([0.1, 0.5, 0.75, 10.0], n),
}


@pytest.mark.parametrize("shift", [0.0, 0.3])
@pytest.mark.parametrize("name", sorted(SAMPLERS))
@pytest.mark.parametrize("n", [200, 2_000, 100_000])
def test_continuous_values_give_what_scipy_gives_within_a_thousandth(name: str, n: int, shift: float) -> None:
    rng = np.random.default_rng(n)
    before = SAMPLERS[name](rng, 18_000)
    after = SAMPLERS[name](rng, n)
    if name != "few values":
        after = after * (1 + shift) + shift * (rng.random(n) < 0.5)
    ours, theirs = ours_and_scipy(before, after, "float")
    assert ours == pytest.approx(theirs, abs=0.001)


def test_rows_that_pile_up_where_training_had_none_are_placed_within_a_fiftieth_of_the_deviation() -> None:
    rng = np.random.default_rng(0)
    before = rng.choice([0.1, 0.5, 0.75, 10.0], 18_000)
    ours, theirs = ours_and_scipy(before, rng.choice([0.1, 0.6, 3.0, 7.0], 5_000), "float")
    assert ours[1] == pytest.approx(theirs[1], abs=0.02)


@given(before=COUNTS, after=COUNTS)
def test_categorical_statistics_equal_scipy(before: list[int], after: list[int]) -> None:
    n = min(len(before), len(after))
    p, q = np.array(before[:n]), np.array(after[:n])
    if min(p.sum(), q.sum()) == 0 or ((p + q) > 0).sum() < 2:
        return
    table = np.array([p, q])[:, (p + q) > 0]
    expected = scipy.stats.chi2_contingency(table, correction=False)
    assert drift_statistics.chi_squared(p, q) == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    distance = drift_statistics.jensen_shannon(p.astype(float), q.astype(float))
    assert distance == pytest.approx(float(jensenshannon(p / p.sum(), q / q.sum(), base=2)), abs=1e-7)
    assert drift_statistics.total_variation(p, q) == pytest.approx(abs(p / p.sum() - q / q.sum()).sum() / 2)
    if table.sum(axis=0).min() * min(p.sum(), q.sum()) / table.sum() >= 5:
        assert drift_statistics.homogeneity_p_value(p, q) == pytest.approx(expected.pvalue, abs=1e-9)


@given(before=COUNTS, after=COUNTS)
def test_distances_are_zero_for_equal_shares_and_the_same_from_either_side(before: list[int], after: list[int]) -> None:
    n = min(len(before), len(after))
    p, q = np.array(before[:n]), np.array(after[:n])
    for distance in (drift_statistics.psi, drift_statistics.total_variation, drift_statistics.chi_squared):
        assert distance(p, 3 * p) == pytest.approx(0.0, abs=1e-9)
        assert distance(p, q) == pytest.approx(distance(q, p), abs=1e-9)


def test_psi_equals_its_formula() -> None:
    p, q = np.array([50, 30, 20]), np.array([20, 30, 50])
    expected = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.5 - 0.2) * np.log(0.5 / 0.2)
    assert drift_statistics.psi(p, q) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("distance", [0.01, 0.03, 0.06, 0.12])
@pytest.mark.parametrize("n", [200, 5_000])
def test_the_kolmogorov_smirnov_p_value_equals_scipy(distance: float, n: int) -> None:
    m = 18_524
    expected = scipy.stats.kstwo.sf(distance, round(n * m / (n + m)))
    assert drift_statistics.kolmogorov_smirnov_p_value(distance, m, n) == pytest.approx(expected, abs=0.01)


def test_a_single_row_in_a_rare_bin_is_not_significant_but_ten_are() -> None:
    before = np.array([10_000, 5_000, 1])
    assert drift_statistics.homogeneity_p_value(before, np.array([133, 66, 1])) > 0.01
    assert drift_statistics.homogeneity_p_value(before, np.array([127, 63, 10])) < 1e-9
    assert scipy.stats.chi2_contingency([before, [133, 66, 1]], correction=False).pvalue < 1e-7


@settings(max_examples=30, deadline=None)  # importing scipy counts as well
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 999))
def test_parts_of_a_window_give_the_statistics_of_the_whole(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    bins = make_bins(rng.normal(size=2_000), "float")
    after = rng.normal(0.2, 1.1, 1_000)
    parts = bins.finest.count(after[:cut]) + bins.finest.count(after[cut:])
    assert parts.tolist() == bins.finest.count(after).tolist()


def test_a_column_without_values_on_one_side_has_no_order() -> None:
    bins = make_bins(np.full(100, np.nan), "float")
    assert drift_statistics.cumulative_shares(bins, np.array(bins.finest.counts), bins.finest.count([1.0])) is None


@pytest.mark.parametrize("shift", [0, 1])
def test_the_rank_comparison_equals_the_mann_whitney_test_of_scipy(shift: int) -> None:
    rng = np.random.default_rng(3)
    before, after = np.round(rng.lognormal(5, 2, 800)), np.round(rng.lognormal(5, 2, 500)) + 40 * shift
    points = np.unique(np.concatenate([before, after]))
    counts = [np.append(np.searchsorted(np.sort(side), points, side="right"), [0, 0, 0, 0]) for side in (before, after)]
    sides = [np.concatenate([np.diff(side[:-4], prepend=0), side[-4:]]) for side in counts]
    bins = Bins("amount", "values", tuple(points.tolist()), tuple(sides[0].tolist()))
    ranks = drift_statistics.rank_biserial(bins, *sides)
    expected = scipy.stats.mannwhitneyu(after, before, use_continuity=False, method="asymptotic")
    assert ranks.value == pytest.approx(2 * expected.statistic / (800 * 500) - 1, abs=1e-12)
    assert ranks.p_value == pytest.approx(expected.pvalue, rel=1e-9)
