"""Counts of columns, against values worked out by hand."""

from __future__ import annotations

import numpy as np

from tests.pipeline.validation.validation_samples import stats_of


def test_column_of_many_distinct_values_is_described_by_a_sample() -> None:
    rng = np.random.default_rng(0)
    size = rng.normal(size=5_000)
    column = stats_of(size=size).column("size")
    assert (column.n_distinct, column.low, column.high) == (None, size.min(), size.max())
    assert column.sample.tolist() == sorted(size)


def test_values_are_counted_by_class() -> None:
    column = stats_of(count=[1, 1, 2, None]).column("count")
    assert (column.n_distinct, column.n_missing) == (2, 1)
    assert column.counts_by_class.tolist() == [[1, 1, 0], [1, 0, 0]]
