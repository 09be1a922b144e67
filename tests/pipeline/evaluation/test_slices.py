"""Slices are evaluated per category, range and missing value; small slices are only listed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipeline.evaluation.slices import SliceReport, SmallSlice, _column_slices, evaluate_slices
from pipeline.metrics import LabeledPredictions
from pipeline.schema import Column, Schema, Target
from tests.fixtures.private_columns import PRIVATE_POLICIES, people, people_schema
from tests.fixtures.toy_dataset import FAST, settings
from tests.fixtures.value_search import ValueSearch

N = 400
CONFIG = settings(*FAST, "evaluation.slices.min_rows=20").evaluation
CODE = np.arange(N) % 2
TARGET = Target("answer", ("no", "yes"), "yes")


def scored_rows_with_errors(wrong: np.ndarray) -> LabeledPredictions:
    """Return rows that are predicted with probability 0.9; the rows in `wrong` get the other class."""
    predicted = np.where(wrong, 1 - CODE, CODE)
    p = np.where(predicted == 1, 0.9, 0.1)
    return LabeledPredictions(y=CODE, probabilities=np.column_stack([1 - p, p]), predicted=predicted, positive=1)


def evaluated_slices(column: Column, values: object, wrong: np.ndarray | None = None) -> SliceReport:
    frame = pd.DataFrame({column.name: values})
    scored = scored_rows_with_errors(np.zeros(N, dtype=bool) if wrong is None else wrong)
    return evaluate_slices(scored, frame, frame, schema=Schema("s", (column,), TARGET), config=CONFIG)


def n_rows_by_slice(column: Column, values: object) -> dict[str, int]:
    return {slice_.value: slice_.n_rows for slice_ in evaluated_slices(column, values).evaluated}


def test_each_category_and_missing_values_are_slices() -> None:
    values = pd.array(["red"] * 200 + ["blue"] * 150 + [None] * 50, dtype="string")
    assert n_rows_by_slice(Column("c", "category", "category", categories=("blue", "red")), values) == {
        "blue": 150,
        "red": 200,
        "missing": 50,
    }


def test_undeclared_categories_are_one_slice() -> None:
    values = pd.array(["red"] * 300 + ["green"] * 100, dtype="string")
    assert n_rows_by_slice(Column("c", "category", "category", categories=("red",)), values) == {
        "red": 300,
        "not declared": 100,
    }


def test_booleans_give_two_slices() -> None:
    values = pd.array([True] * 100 + [False] * 270 + [None] * 30, dtype="boolean")
    assert n_rows_by_slice(Column("b", "boolean", "boolean"), values) == {"false": 270, "true": 100, "missing": 30}


def test_integers_are_cut_at_quantiles_and_labeled_by_their_values() -> None:
    values = pd.array(np.arange(N) % 8, dtype="Int64")
    assert n_rows_by_slice(Column("n", "integer", "Int64"), values) == {
        "up to 1": 100,
        "2 to 3": 100,
        "4 to 5": 100,
        "above 5": 100,
    }


def test_equal_quantiles_are_one_edge() -> None:
    values = pd.array([0] * 350 + [1] * 50, dtype="Int64")
    assert n_rows_by_slice(Column("n", "integer", "Int64"), values) == {"up to 0": 350, "above 0": 50}


def test_a_constant_is_one_slice() -> None:
    assert n_rows_by_slice(Column("n", "float", "Float64"), pd.array([1.5] * N, dtype="Float64")) == {"any value": N}


def test_floats_are_cut_at_quantiles() -> None:
    n_rows = n_rows_by_slice(Column("n", "float", "Float64"), pd.array(np.arange(N) / 10, dtype="Float64"))
    assert n_rows == {"up to 9.9": 100, "above 9.9 to 19.9": 100, "above 19.9 to 29.9": 100, "above 29.9": 100}


def test_datetimes_are_cut_at_moments() -> None:
    moments = (
        (pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(N), unit="h")).astype("datetime64[us]").to_series()
    )
    moments = moments.reset_index(drop=True)
    moments[:40] = pd.NaT
    n_rows = n_rows_by_slice(Column("t", "datetime", "datetime64[us]"), moments)
    assert n_rows["missing"] == 40
    assert "up to 2026-01-06T09:00:00" in n_rows
    assert sum(n_rows.values()) == N


def test_quantiles_are_those_of_training() -> None:
    column = Column("n", "integer", "Int64")
    train = pd.DataFrame({"n": pd.array(np.arange(N) % 4, dtype="Int64")})
    test = pd.DataFrame({"n": pd.array(np.arange(N) % 4 + 100, dtype="Int64")})
    report = evaluate_slices(
        scored_rows_with_errors(CODE > 1), train, test, schema=Schema("s", (column,), TARGET), config=CONFIG
    )
    assert [(slice_.value, slice_.n_rows) for slice_ in report.evaluated] == [("above 2", N)]


def test_the_worst_slice_comes_first_and_is_clearly_worse() -> None:
    color = pd.array(np.where(np.arange(N) < 100, "red", "blue"), dtype="string")
    wrong = (np.arange(N) < 100) & (np.arange(N) % 3 == 0)
    slices = evaluated_slices(Column("c", "category", "category", categories=("blue", "red")), color, wrong).evaluated
    assert [(slice_.value, slice_.is_clearly_worse) for slice_ in slices] == [("red", True), ("blue", None)]
    assert slices[0].metrics["accuracy"] == 0.66
    assert slices[0].estimate.low < slices[0].estimate.value < slices[0].estimate.high


def test_a_small_slice_is_listed_and_not_evaluated() -> None:
    values = pd.array(["red"] * 390 + ["blue"] * 10, dtype="string")
    report = evaluated_slices(Column("c", "category", "category", categories=("blue", "red")), values)
    assert [slice_.value for slice_ in report.evaluated] == ["red"]
    assert report.too_small == (SmallSlice("c", "blue", 10),)


@pytest.mark.parametrize(("role", "n_slices"), [("feature", 2), ("ignore", 2), ("id", 2)])
def test_a_protected_column_is_evaluated_whatever_its_size_and_role(role: str, n_slices: int) -> None:
    values = pd.array(["red"] * 399 + ["blue"], dtype="string")
    column = Column("c", "category", "category", categories=("blue", "red"), role=role, protected=True)
    assert len(evaluated_slices(column, values).evaluated) == n_slices


def test_ids_are_not_cut() -> None:
    column = Column("c", "integer", "Int64", role="id")
    assert evaluated_slices(column, pd.array([1] * N, dtype="Int64")) == SliceReport(evaluated=(), too_small=())


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["x", "y", "x", "z0", "z1"], {"x": 160, "y": 80, "other words": 160}),
        (
            [f"{i} {'a' * (i % 4)}" for i in range(100, 500)],
            {"length up to 4": 100, "length 5": 100, "length above 6": 100},
        ),
    ],
    ids=["words", "free text"],
)
def test_texts_are_cut_by_frequent_words_or_by_length(texts: list[str], expected: dict[str, int]) -> None:
    values = [text if text[0] != "z" else f"{text}{i // 15}" for i, text in enumerate(texts * (N // len(texts)))]
    report = evaluated_slices(Column("c", "text", "string"), pd.array(values, dtype="string"))
    sizes = {slice_.value: slice_.n_rows for slice_ in report.evaluated}
    assert expected.items() <= sizes.items()
    assert sum(sizes.values()) == N


def test_slices_with_an_undefined_metric_come_last() -> None:
    values = pd.array(np.where(CODE == 1, "red", "blue"), dtype="string")
    values[:20] = None
    config = CONFIG.model_copy(update={"slices": CONFIG.slices.model_copy(update={"metric": "roc_auc"})})
    frame = pd.DataFrame({"c": values})
    column = Column("c", "category", "category", categories=("blue", "red"))
    wrong = np.arange(N) % 7 == 0
    report = evaluate_slices(
        scored_rows_with_errors(wrong), frame, frame, schema=Schema("s", (column,), TARGET), config=config
    )
    undefined = report.evaluated[1:]
    assert [(slice_.value, slice_.estimate.value is None, slice_.is_clearly_worse) for slice_ in undefined] == [
        ("blue", True, None),
        ("red", True, None),
    ]


@examples(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.integers(-5, 5) | st.integers(-(2**50), 2**50), min_size=8, max_size=60),
    st.integers(2, 8),
)
def test_the_slices_of_a_column_hold_each_row_once(values: list[int | None], quantiles: int) -> None:
    column = Column("n", "integer", "Int64")
    series = pd.Series(values, dtype="Int64")
    slices = dict(_column_slices(column, series, series, quantiles=quantiles))
    assert np.sum([inside.astype(int) for inside in slices.values()], axis=0).tolist() == [1] * len(values)
    assert len(slices) <= quantiles + 1


@pytest.mark.parametrize("store", PRIVATE_POLICIES)
def test_a_slice_of_a_private_column_names_no_single_persons_value(store: str) -> None:
    frame, schema = people(N), people_schema(store)
    report = evaluate_slices(
        scored_rows_with_errors(np.zeros(N, dtype=bool)), frame, frame, schema=schema, config=CONFIG
    )
    names = " ".join(slice_.value for slice_ in (*report.evaluated, *report.too_small))
    assert ValueSearch(frame).in_bytes(names.encode()) == set()
    ranges = [slice_ for slice_ in report.evaluated if slice_.column == "number" and slice_.value != "missing"]
    assert (len(ranges), sum(slice_.n_rows for slice_ in ranges)) == (4, N - 6)
