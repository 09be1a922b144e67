from __future__ import annotations

import numpy as np
import pytest

from pipeline.files import canonical_json
from pipeline.validation.column_profile import profile_column
from tests.pipeline.validation.validation_samples import stats_of


def test_numbers_have_quantiles_and_a_histogram() -> None:
    profile = profile_column(stats_of(size=[float(number) for number in range(101)]).column("size"))
    assert (profile.low, profile.high, profile.mean) == (0.0, 100.0, 50.0)
    assert profile.quantiles["50 %"] == 50.0
    assert len(profile.bars) == 20
    assert sum(rows for _, rows in profile.bars) == 101


def test_texts_have_their_most_frequent_values() -> None:
    profile = profile_column(stats_of(text=["a"] * 3 + ["b", None]).column("text"))
    assert (profile.mean, profile.n_missing, profile.n_distinct) == (None, 1, 2)
    assert profile.bars == (("a", 3), ("b", 1))


@pytest.mark.filterwarnings("error")
def test_statistic_that_overflows_is_left_out() -> None:
    profile = profile_column(stats_of(size=np.full(30, 1.7e308)).column("size"))
    assert profile.mean is None
    assert profile.as_dict()["bars"] == [{"value": "1.7e+308", "rows": 30}]


@pytest.mark.parametrize("largest", [np.finfo(np.float64).max, -np.finfo(np.float64).max])
def test_the_largest_float_is_not_rounded_to_infinity(largest: float) -> None:
    profile = profile_column(stats_of(size=[float(largest)] * 30).column("size"))
    assert (profile.low, profile.high) == (largest, largest)
    assert canonical_json(profile.as_dict())
