from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency

from pipeline.metrics.divergence import jensen_shannon
from pipeline.validation.dataset_drift import compare_distributions
from tests.pipeline.validation.validation_samples import LIMITS, SCHEMA, stats_of

if TYPE_CHECKING:
    from pipeline.validation.dataset_stats import DatasetStats


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=8))
def test_distance_equals_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    before, after = np.array(pairs, dtype=float).T
    if before.sum() and after.sum():
        assert jensen_shannon(before, after) == pytest.approx(jensenshannon(before, after, base=2), abs=1e-7)


def test_p_value_equals_that_of_scipy() -> None:
    first, second = stats_of(count=[0] * 60 + [1] * 40), stats_of(count=[0] * 30 + [1] * 70)
    results = compare_distributions(first, second, SCHEMA, LIMITS.drift)
    (drift,) = (result for result in results if result.column == "count")
    assert drift.p_value == pytest.approx(chi2_contingency([[60, 40], [30, 70]], correction=False).pvalue)
    assert drift.alpha == LIMITS.drift.alpha / 3


def drifted_columns(first: DatasetStats, second: DatasetStats) -> list[str]:
    results = compare_distributions(first, second, SCHEMA, LIMITS.drift)
    return [result.column for result in results if result.has_drifted]


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_the_same_source_do_not_drift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (stats_of(size=rng.normal(size=2_000), count=rng.integers(0, 8, 2_000)) for _ in range(2))
    assert drifted_columns(first, second) == []


def test_a_shift_is_drift_in_its_column_alone() -> None:
    rng = np.random.default_rng(0)
    first = stats_of(size=rng.normal(size=2_000), count=rng.integers(0, 8, 2_000))
    second = stats_of(size=rng.normal(1, 1, size=2_000), count=rng.integers(0, 8, 2_000))
    assert drifted_columns(first, second) == ["size"]


def _mostly_zeros(n_zeros: int, seed: int) -> np.ndarray:
    amounts = np.random.default_rng(seed).lognormal(4, 1, 2_000)
    return np.where(np.arange(2_000) < n_zeros, 0.0, amounts)


SENTINELS = {"below": -1.0, "above": 999_999.0}


@pytest.mark.parametrize("sentinel", SENTINELS.values(), ids=SENTINELS)
def test_a_sentinel_outside_the_range_is_drift(sentinel: float) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.lognormal(4, 1, 2_000), rng.lognormal(4, 1, 2_000)
    second[:120] = sentinel
    assert drifted_columns(stats_of(size=first), stats_of(size=second)) == ["size"]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_change_among_many_zeros_is_drift(sign: int) -> None:
    first, second, other = _mostly_zeros(1_400, 0), _mostly_zeros(1_000, 1), _mostly_zeros(1_400, 2)
    assert drifted_columns(stats_of(size=sign * first), stats_of(size=sign * second)) == ["size"]
    assert drifted_columns(stats_of(size=sign * first), stats_of(size=sign * other)) == []


def test_a_frequent_value_inside_the_range_has_its_own_bin() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=2_000), rng.normal(size=2_000)
    first[:600] = 0.0
    second[:600] = -0.3
    assert drifted_columns(stats_of(size=first), stats_of(size=second)) == ["size"]


def test_column_that_was_always_missing_drifts_when_values_arrive() -> None:
    first, second = stats_of(size=[None] * 400), stats_of(size=np.linspace(0, 1, 400))
    for pair in ((first, second), (second, first)):
        (size,) = (result for result in compare_distributions(*pair, SCHEMA, LIMITS.drift) if result.column == "size")
        assert (size.distance, size.has_drifted) == (1.0, True)
