"""Groups of numbers hold at least five rows, and nothing in them is the value of fewer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schema.value_groups import MIN_GROUP_ROWS, ValueGroups, group_values

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.lists(FLOATS | st.integers(-20, 20).map(float) | st.just(float("nan")), max_size=200)
# Most draws have neighbors that are far apart: between adjacent floats there is no number that is nobody's.
SPACED = st.lists(st.integers(-1_000, 1_000).map(lambda n: n / 4), min_size=MIN_GROUP_ROWS, max_size=200)


def rare_values(numbers: np.ndarray) -> set[float]:
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    return set(values[counts < MIN_GROUP_ROWS].tolist())


@given(numbers=SPACED, max_groups=st.sampled_from([1, 3, 255]))
def test_no_limit_and_no_level_is_the_value_of_fewer_rows_than_a_group_has(
    numbers: list[float], max_groups: int
) -> None:
    groups = group_values(np.array(numbers), max_groups=max_groups)
    assert rare_values(np.array(numbers)).isdisjoint((*groups.limits, *groups.levels))


@given(numbers=NUMBERS, max_groups=st.sampled_from([1, 3, 255]))
def test_each_group_has_five_rows_and_ascending_levels(numbers: list[float], max_groups: int) -> None:
    values = np.array(numbers, dtype=np.float64)
    present = values[~np.isnan(values)]
    groups = group_values(values, max_groups=max_groups)
    assert bool(groups.levels) is (len(present) >= MIN_GROUP_ROWS)
    if groups.levels:
        counts = np.bincount(np.searchsorted(groups.limits, present), minlength=len(groups.levels))
        assert (len(counts), counts.min() >= MIN_GROUP_ROWS) == (len(groups.levels), True)
    for ascending in (groups.limits, groups.levels):
        assert list(ascending) == sorted(ascending)
        assert np.isfinite(ascending).all()


@given(numbers=NUMBERS)
def test_a_number_gets_its_level_alone_as_among_others(numbers: list[float]) -> None:
    values = np.array([*numbers, 1.0, 2.0, 3.0, 4.0, 5.0])
    groups = group_values(values, max_groups=10)
    many = np.tile(values, 10)
    alone = np.concatenate([groups.replace(values[at : at + 1]) for at in range(len(values))])
    assert np.array_equal(groups.replace(many)[: len(values)], alone, equal_nan=True)
    assert np.array_equal(np.isnan(alone), np.isnan(values))


def test_a_frequent_value_is_a_level_and_an_extreme_moves_none() -> None:
    zeros_and_amounts = np.array([0.0] * 50 + [10.0, 20.0, 30.0, 40.0, 60.0, 987_654.25])
    groups = group_values(zeros_and_amounts, max_groups=255)
    assert groups.levels == (0.0, 38.0)
    assert groups.limits == (5.0,)


def test_a_column_of_few_values_keeps_each_that_five_rows_have() -> None:
    visits = np.repeat([0.0, 1.0, 2.0, 3.0, 48.0], [100, 50, 20, 5, 1])
    assert group_values(visits, max_groups=255).levels == (0.0, 1.0, 2.0, 3.0)


@pytest.mark.parametrize("largest", [np.finfo(np.float64).max, 1e-310])
def test_extreme_numbers_have_finite_levels(largest: float) -> None:
    groups = group_values(np.linspace(-1, 1, 40) * largest, max_groups=4)
    assert np.isfinite((*groups.levels, *groups.limits)).all()
    assert ValueGroups.from_dict(groups.as_dict()).replace(np.array([largest]))[0] == groups.levels[-1]


def test_equally_spaced_numbers_are_no_levels() -> None:
    hours = np.arange(0.0, 2_000.0)
    assert rare_values(hours).isdisjoint(group_values(hours, max_groups=100).levels)
