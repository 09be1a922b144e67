"""Counts, hashes, outliers, drift and the score, against values worked out by hand or by pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency

from pipeline.metrics.divergence import jensen_shannon
from pipeline.schema import Column, Schema, Target
from pipeline.validation import validate
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.dataset_drift import compare_distributions
from pipeline.validation.dataset_stats import DatasetStats, collect_stats
from pipeline.validation.outliers import Outliers, find_outliers
from tests.fixtures.toy_dataset import settings as shipped

TARGET = Target("outcome", ("no", "yes"), "yes")
LIMITS = shipped().validation
SCHEMA = Schema(
    "made",
    (
        Column("size", "float", "Float64", nullable=True),
        Column("count", "integer", "Int64", nullable=True),
        Column("word", "text", "string", nullable=True),
    ),
    TARGET,
)


def stats_of(**columns: Any) -> DatasetStats:
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"size": 0.5, "count": 1, "word": "a", "outcome": ["no", "yes"] * (n // 2) + ["no"] * (n % 2)})
    return collect_stats(open_rows(frame.assign(**columns), SCHEMA), SCHEMA)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, 0.0, -0.0, 1.5, np.inf]),
            st.sampled_from([None, 0, 1, 2**60]),
            st.sampled_from([None, "", "a", "ä"]),
        ),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=60, deadline=None)
def test_duplicates_equal_those_of_pandas(rows: list[tuple[Any, Any, Any]]) -> None:
    frame = pd.DataFrame(rows, columns=["size", "count", "word"]).astype(
        {"size": "Float64", "count": "Int64", "word": "string"}
    )
    frame["outcome"] = "no"
    assert collect_stats(open_rows(frame, SCHEMA), SCHEMA).n_duplicates == int(frame.duplicated().sum())


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


def test_outliers_lie_beyond_the_fences_of_tukey_and_of_the_robust_z() -> None:
    count = [*range(1, 10), 1000]
    column = stats_of(count=count).column("count")
    lower, upper = np.quantile(count, [0.25, 0.75])
    fences = (lower - 3 * (upper - lower), upper + 3 * (upper - lower))
    assert find_outliers(column, LIMITS.outliers) == Outliers(*fences, n_iqr=1, n_robust_z=1)


def test_infinity_is_an_outlier_and_is_excluded_from_statistics() -> None:
    tally = stats_of(size=[1.0, 2.0, 3.0, 4.0, np.inf])
    column = tally.column("size")
    assert (column.high, find_outliers(column, LIMITS.outliers).n_iqr) == (4.0, 1)  # type: ignore[union-attr]


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


def test_column_that_was_always_missing_drifts_when_values_arrive() -> None:
    first, second = stats_of(size=[None] * 400), stats_of(size=np.linspace(0, 1, 400))
    for pair in ((first, second), (second, first)):
        (size,) = (result for result in compare_distributions(*pair, SCHEMA, LIMITS.drift) if result.column == "size")
        assert (size.distance, size.has_drifted) == (1.0, True)


def test_the_score_is_the_weighted_sum_of_its_parts() -> None:
    frame = pd.DataFrame(
        {"size": [1.0, 2.0, None, 4.0], "count": [1, 1, 1, 1], "word": list("abcd"), "outcome": ["no", "yes"] * 2}
    )
    quality = validate(frame, SCHEMA, LIMITS).quality
    assert quality.completeness == pytest.approx(11 / 12)
    assert (quality.validity, quality.uniqueness) == (1.0, 1.0)
    assert quality.consistency == pytest.approx(2 / 3)
    assert quality.score == pytest.approx(30 * 11 / 12 + 40 + 15 + 15 * 2 / 3)
