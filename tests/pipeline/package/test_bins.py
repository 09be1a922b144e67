"""The fast search finds what the slow one finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.package.bins import Bins, _fast_searchsorted

EDGES = st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=60, unique=True)


@settings(max_examples=60)
@given(edges=EDGES, seed=st.integers(0, 1_000))
def test_numbers_between_the_edges_are_found_where_a_binary_search_finds_them(edges: list[float], seed: int) -> None:
    ascending = np.sort(np.array(edges))
    rng = np.random.default_rng(seed)
    near = rng.choice(ascending, 15_000)
    between = ascending[0] / 2 + ascending[-1] / 2 + (rng.random(15_000) - 0.5) * (ascending[-1] / 2 - ascending[0] / 2)
    numbers = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf), between])
    numbers = numbers[(numbers >= ascending[0]) & (numbers <= ascending[-1])]
    assert np.array_equal(_fast_searchsorted(ascending, numbers), np.searchsorted(ascending, numbers))


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300])
def test_crowded_and_lonely_edges_are_both_found(scale: float) -> None:
    rng = np.random.default_rng(0)
    edges = np.unique(np.concatenate([rng.normal(size=1_000) * 1e-6, rng.normal(size=50), [0.0]])) * scale
    numbers = rng.uniform(edges[0], edges[-1], 100_000)
    numbers[::2] = rng.choice(edges, 50_000)
    assert np.array_equal(_fast_searchsorted(edges, numbers), np.searchsorted(edges, numbers))


def test_missing_numbers_and_those_beyond_the_edges_do_no_harm() -> None:
    numbers = np.concatenate([np.full(30_000, np.nan), [np.inf, -np.inf, 1e308, 0.5]])
    positions = _fast_searchsorted(np.array([0.0, 1.0]), numbers)
    assert (len(positions), positions[-1]) == (30_004, 1)


@pytest.mark.parametrize(
    ("bins", "reasons"),
    [
        (Bins("a", "words", ("blue", "red"), (3, 0, 0, 1)), ["", "unseen", "unseen", ""]),
        (Bins("a", "values", (1, 2), (3, 0, 0, 0, 0, 1)), ["", "", "below", "above", "unseen", ""]),
        (Bins("a", "quantiles", (0.0, 1.0, 2.0), (3, 4, 0, 0, 1)), ["", "", "below", "above", ""]),
        (Bins("a", "quantiles", (), (0, 0, 5)), ["below", "above", ""]),
        (Bins("a", "top_words", ("x",), (3, 9, 0)), ["", "", ""]),
    ],
)
def test_a_bin_without_training_rows_has_the_reason_why_its_values_are_outside(bins: Bins, reasons: list[str]) -> None:
    assert list(bins.outside_reasons) == reasons
    assert len(reasons) == bins.n_bins
