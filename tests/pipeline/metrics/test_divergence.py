"""The Jensen-Shannon distance agrees with scipy and is a bounded, symmetric distance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from pipeline.metrics.divergence import jensen_shannon

COUNTS = st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any)


@given(COUNTS, COUNTS)
def test_it_agrees_with_scipy(first: list[int], second: list[int]) -> None:
    p, q = np.array(first, dtype=float), np.array(second, dtype=float)
    expected = jensenshannon(p / p.sum(), q / q.sum(), base=2)
    assert jensen_shannon(p, q) == pytest.approx(expected, abs=1e-7)


@given(COUNTS, COUNTS)
def test_it_is_symmetric_and_bounded(first: list[int], second: list[int]) -> None:
    p, q = np.array(first, dtype=float), np.array(second, dtype=float)
    distance = jensen_shannon(p, q)
    assert distance == pytest.approx(jensen_shannon(q, p), abs=1e-9)
    assert 0 <= distance <= 1


def test_only_shares_matter() -> None:
    p = np.array([1.0, 2.0, 7.0])
    assert jensen_shannon(p, 10 * p) == pytest.approx(0, abs=1e-7)


def test_disjoint_distributions_have_the_distance_one() -> None:
    assert jensen_shannon(np.array([3.0, 0.0]), np.array([0.0, 5.0])) == pytest.approx(1)
