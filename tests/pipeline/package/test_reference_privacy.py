"""Edges of a reference are no values of people, unless the log may hold the column in full."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.package.reference import _column_bins
from pipeline.schema import Column


@pytest.mark.parametrize("store", ["bin", "hash", "drop"])
@pytest.mark.parametrize("n_rows", [200, 1_501])
def test_no_edge_is_a_value_of_a_column_that_the_log_does_not_store_in_full(store: str, n_rows: int) -> None:
    values = np.random.default_rng(0).lognormal(8, 1, n_rows)
    values[7] = 987654.25

    bins = _column_bins(Column(name="salary", kind="float", dtype="Float64", store=store), pd.Series(values), 10)

    assert not (set(bins.points) | set(bins.finest.points)) & set(values)
    assert sum(bins.counts) == sum(bins.finest.counts) == n_rows
