"""Bins are fixed by training rows: every row falls into one, and no outlier moves them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError, IntegrityError
from pipeline.package import Bins, Reference
from pipeline.package.reference import build_reference
from pipeline.schema import Column, Schema, Target
from tests.fixtures.private_columns import PRIVATE_POLICIES, people, people_schema
from tests.fixtures.value_search import ValueSearch

NUMBERS = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=200)
COUNTS = st.lists(st.none() | st.integers(-50, 50), min_size=1, max_size=200)
WORDS = st.lists(st.none() | st.sampled_from(["blue", "red", "green"]), min_size=1, max_size=200)


def reference(values: list[object], kind: str, n_bins: int = 10, store: Any = "full") -> Bins:
    dtype = {"float": "Float64", "integer": "Int64", "category": "string", "boolean": "boolean"}[kind]
    column = Column(
        "x", kind, dtype, nullable=True, categories=("blue", "red") if kind == "category" else (), store=store
    )
    schema = Schema("one", (column,), Target("y", ("no", "yes"), "yes"))
    frame = pd.DataFrame({"x": pd.Series(values, dtype=dtype)})
    n = len(values)
    built = build_reference(frame, schema, score=np.linspace(0, 1, n), predicted=np.array(["no"] * n), n_bins=n_bins)
    assert Reference.from_dict(json.loads(json.dumps(built.as_dict()))) == built
    return built.column("x")


@given(values=NUMBERS, other=NUMBERS)
def test_every_number_falls_into_one_bin(values: list[float | None], other: list[float | None]) -> None:
    bins = reference(values, "float")
    assert sum(bins.counts) == len(values)
    assert bins.count(other).sum() == len(other)
    assert len(bins.counts) == len(bins.labels) == len(set(bins.labels)) or len(set(bins.points)) < 3


@given(values=COUNTS, other=COUNTS)
def test_every_whole_number_falls_into_one_bin(values: list[int | None], other: list[int | None]) -> None:
    bins = reference(values, "integer")
    assert (sum(bins.counts), bins.count(other).sum()) == (len(values), len(other))
    assert bins.counts[-1] == sum(value is None for value in values)


@given(values=WORDS, other=WORDS)
def test_every_word_falls_into_one_bin(values: list[str | None], other: list[str | None]) -> None:
    bins = reference(values, "category")
    counted = dict(zip(bins.labels, bins.count(other), strict=True))
    assert bins.labels == ("blue", "red", "unseen", "missing")
    assert counted == {
        "blue": other.count("blue"),
        "red": other.count("red"),
        "unseen": other.count("green"),
        "missing": other.count(None),
    }


@given(parts=st.lists(NUMBERS, min_size=2, max_size=4))
def test_counts_of_parts_add_up_to_those_of_all(parts: list[list[float | None]]) -> None:
    bins = reference(parts[0], "float")
    everything = [value for part in parts for value in part]
    assert np.array_equal(sum(bins.count(part) for part in parts), bins.count(everything))


def test_small_whole_numbers_have_a_bin_each() -> None:
    bins = reference([0, 1, 1, 2, 5], "integer")
    assert bins.labels == ("0", "1", "2", "3", "4", "5", "below", "above", "unseen", "missing")
    assert bins.counts == (1, 2, 1, 0, 0, 1, 0, 0, 0, 0)
    assert bins.count([-1, 0, 1, 3, 5, 6, None, 2.5]).tolist() == [1, 1, 0, 1, 0, 1, 1, 1, 1, 1]


def test_sparse_integers_have_bins_where_they_occur() -> None:
    bins = reference([0, 100, 100, 5000], "integer")
    assert bins.labels == ("0", "100", "5000", "below", "above", "unseen", "missing")
    assert bins.count([-1, 0, 1, 5000, 5001, None]).tolist() == [1, 0, 1, 1, 1, 1, 1]


def test_many_numbers_have_bins_of_equal_shares() -> None:
    bins = reference(np.random.default_rng(0).normal(size=10_000).tolist(), "float")
    assert bins.kind == "quantiles"
    assert np.array(bins.counts[:10]) / 10_000 == pytest.approx(np.full(10, 0.1), abs=0.002)


@given(values=NUMBERS, other=NUMBERS)
def test_counts_on_the_grid_fold_to_those_in_the_bins(values: list[float | None], other: list[float | None]) -> None:
    bins = reference(values, "float")
    assert bins.coarsen(bins.finest.count(other)).tolist() == bins.count(other).tolist()
    assert bins.coarsen(np.array(bins.finest.counts)).tolist() == list(bins.counts)


def test_the_grid_holds_a_thousandth_in_a_bin_unless_values_are_equal() -> None:
    drawn = np.random.default_rng(0).lognormal(size=20_000)
    drawn[:8000] = np.repeat([0.5, 2.0], 4000)
    grid = reference(drawn.tolist(), "float").finest
    heavy = np.flatnonzero(np.array(grid.counts[:-3]) > 2 * 20)
    widths = np.diff(grid.points)[heavy]
    assert (len(heavy), widths.max() < 1e-15) == (2, True)


def test_a_whole_number_has_a_bin_of_the_grid() -> None:
    values = np.random.default_rng(0).integers(0, 300, 5000)
    bins = reference(values.tolist(), "integer")
    grid = np.array(bins.finest.points)
    assert (bins.kind, np.diff(grid[2:]).tolist()) == ("quantiles", [1.0] * (len(grid) - 3))
    low, high = int(grid[0]), int(grid[-1])
    counted = bins.finest.count(values)
    assert counted[:-3].tolist() == np.bincount(values, minlength=300)[low : high + 1].tolist()


def test_scores_have_bins_of_equal_width_and_one_edge_below_the_threshold() -> None:
    schema = Schema("one", (), Target("y", ("no", "yes"), "yes"))
    score = np.random.default_rng(0).uniform(0, 1, 5000)
    built = build_reference(
        pd.DataFrame(index=range(5000)),
        schema,
        score=score,
        predicted=np.where(score < 0.37, "no", "yes"),
        n_bins=10,
        threshold=0.37,
    )
    grid = np.array(built.score.finest.points)
    assert np.diff(grid).max() <= 0.002 + 1e-12
    assert (
        np.array(built.score.finest.counts[:-3])[: np.searchsorted(grid, 0.37) - 1].sum() + built.score.counts[-3]
        == (score < 0.37).sum()
    )
    assert built.confidence.points[0] >= 0.5


@pytest.mark.parametrize("kind", ["float", "integer"])
@pytest.mark.parametrize("outlier", [10**9, -(10**9)])
def test_one_outlier_moves_no_bin(kind: str, outlier: int) -> None:
    values = (np.arange(5000) % (200 if kind == "float" else 12)).tolist()
    without, with_it = reference(values, kind), reference([*values, outlier], kind)
    assert len(without.points) == len(with_it.points)
    assert np.abs(np.array(without.points) - np.array(with_it.points)).max() <= 1  # the next rank, at most
    assert with_it.mean == pytest.approx(without.mean, rel=1e-2)
    assert sum(with_it.counts) - sum(without.counts) == 1


def test_truth_values_are_words() -> None:
    assert reference([True, False, None, True], "boolean").counts == (1, 2, 0, 1)


def test_a_column_that_was_never_seen_has_bins_all_the_same() -> None:
    bins = reference([None, None], "float")
    assert (bins.labels, bins.counts) == (("below", "above", "missing"), (0, 0, 2))
    assert bins.count([1.0, None]).sum() == 2


def test_values_of_another_kind_are_refused() -> None:
    with pytest.raises(DataError, match="x: cannot be counted"):
        reference([1.0, 2.0], "float").count(["tall"])


@pytest.mark.parametrize("value", [{}, {"format": 9}, {"format": 1, "n_rows": 1}])
def test_invalid_values_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match="reference"):
        Reference.from_dict(value)


@pytest.mark.parametrize("store", PRIVATE_POLICIES)
@pytest.mark.parametrize("n_rows", [40, 200, 1_501])
def test_a_reference_holds_no_single_persons_value_of_a_private_column(store: str, n_rows: int) -> None:
    frame = people(n_rows)
    predicted = np.full(n_rows, "no")
    built = build_reference(
        frame, people_schema(store), score=np.linspace(0, 1, n_rows), predicted=predicted, n_bins=10
    )
    assert ValueSearch(frame, round_from=8e9).in_bytes(json.dumps(built.as_dict()).encode()) == set()
    for bins in built.columns:
        assert (sum(bins.counts), bins.grid) == (n_rows, None)


@pytest.mark.parametrize("outlier", [48, -300])
def test_an_integer_that_fewer_than_five_rows_have_has_no_bin_in_a_private_column(outlier: int) -> None:
    values = [*([0] * 100), *([1] * 60), *([2] * 30), *([3] * 5), outlier]
    bins = reference(values, "integer", store="drop")
    assert bins.labels == ("0", "1", "2", "3", "below", "above", "unseen", "missing")
    assert bins.counts == (100, 60, 30, 5, outlier < 0, outlier > 0, 0, 0)


def test_zeros_keep_a_bin_of_their_own_in_a_private_column() -> None:
    amounts = np.random.default_rng(0).lognormal(5, 1, 300)
    bins = reference([0.0] * 300 + amounts.tolist(), "float", store="bin")
    assert bins.counts[bins.labels.index("0")] == 300
    assert bins.single_values.sum() == 1


def test_a_private_column_of_few_rows_has_no_edges() -> None:
    assert reference([1.5, 2.5, None], "float", store="hash").points == ()
