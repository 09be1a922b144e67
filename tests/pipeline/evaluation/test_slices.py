"""Which parts are judged, how they are called, and in which order they come."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipeline.evaluation.slices import Slice, _column_slices, evaluate_slices
from pipeline.metrics import LabeledPredictions
from pipeline.schema import Column, Schema, Target
from tests.fixtures.toy_dataset import FAST, settings

N = 400
CONFIG = settings(*FAST, "evaluation.slices.min_rows=20").evaluation
CODE = np.arange(N) % 2
TARGET = Target("answer", ("no", "yes"), "yes")


def scored_rows_with_errors(wrong: np.ndarray) -> LabeledPredictions:
    """Return rows that are called rightly with 0.9, and wrongly where `wrong` says so."""
    called = np.where(wrong, 1 - CODE, CODE)
    p = np.where(called == 1, 0.9, 0.1)
    return LabeledPredictions(CODE, np.column_stack([1 - p, p]), called, 1)


def evaluated_slices(
    column: Column, values: object, wrong: np.ndarray | None = None
) -> tuple[list[Slice], list[object]]:
    frame = pd.DataFrame({column.name: values})
    scored = scored_rows_with_errors(np.zeros(N, dtype=bool) if wrong is None else wrong)
    return evaluate_slices(scored, frame, frame, Schema("s", (column,), TARGET), CONFIG, seed=0)


def n_rows_by_slice(column: Column, values: object) -> dict[str, int]:
    return {one.value: one.n_rows for one in evaluated_slices(column, values)[0]}


def test_every_word_and_the_missing_are_parts() -> None:
    values = pd.array(["red"] * 200 + ["blue"] * 150 + [None] * 50, dtype="string")
    assert n_rows_by_slice(Column("c", "category", "category", categories=("blue", "red")), values) == {
        "blue": 150,
        "red": 200,
        "missing": 50,
    }


def test_a_word_that_is_not_declared_is_a_part() -> None:
    values = pd.array(["red"] * 300 + ["green"] * 100, dtype="string")
    assert n_rows_by_slice(Column("c", "category", "category", categories=("red",)), values) == {
        "red": 300,
        "not declared": 100,
    }


def test_booleans_are_two_words() -> None:
    values = pd.array([True] * 100 + [False] * 270 + [None] * 30, dtype="boolean")
    assert n_rows_by_slice(Column("b", "boolean", "boolean"), values) == {"false": 270, "true": 100, "missing": 30}


def test_whole_numbers_are_cut_at_quantiles_and_called_by_their_values() -> None:
    values = pd.array(np.arange(N) % 8, dtype="Int64")
    assert n_rows_by_slice(Column("n", "integer", "Int64"), values) == {
        "up to 1": 100,
        "2 to 3": 100,
        "4 to 5": 100,
        "above 5": 100,
    }


def test_numbers_that_are_nearly_all_equal_are_not_cut_twice_at_one_place() -> None:
    values = pd.array([0] * 350 + [1] * 50, dtype="Int64")
    assert n_rows_by_slice(Column("n", "integer", "Int64"), values) == {"up to 0": 350, "above 0": 50}


def test_a_constant_is_one_part() -> None:
    assert n_rows_by_slice(Column("n", "float", "Float64"), pd.array([1.5] * N, dtype="Float64")) == {"any value": N}


def test_floats_are_cut_at_quantiles() -> None:
    found = n_rows_by_slice(Column("n", "float", "Float64"), pd.array(np.arange(N) / 10, dtype="Float64"))
    assert found == {"up to 9.9": 100, "above 9.9 to 19.9": 100, "above 19.9 to 29.9": 100, "above 29.9": 100}


def test_datetimes_are_cut_at_moments() -> None:
    moments = (
        (pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(N), unit="h")).astype("datetime64[us]").to_series()
    )
    moments = moments.reset_index(drop=True)
    moments[:40] = pd.NaT
    found = n_rows_by_slice(Column("t", "datetime", "datetime64[us]"), moments)
    assert found["missing"] == 40
    assert "up to 2026-01-06T09:00:00" in found
    assert sum(found.values()) == N


def test_quantiles_are_those_of_training() -> None:
    column = Column("n", "integer", "Int64")
    train = pd.DataFrame({"n": pd.array(np.arange(N) % 4, dtype="Int64")})
    test = pd.DataFrame({"n": pd.array(np.arange(N) % 4 + 100, dtype="Int64")})
    found, _ = evaluate_slices(
        scored_rows_with_errors(CODE > 1), train, test, Schema("s", (column,), TARGET), CONFIG, seed=0
    )
    assert [(one.value, one.n_rows) for one in found] == [("above 2", N)]


def test_the_worst_part_comes_first_and_stands_out() -> None:
    colour = pd.array(np.where(np.arange(N) < 100, "red", "blue"), dtype="string")
    wrong = (np.arange(N) < 100) & (np.arange(N) % 3 == 0)
    found, _ = evaluated_slices(Column("c", "category", "category", categories=("blue", "red")), colour, wrong)
    assert [(one.value, one.is_clearly_worse) for one in found] == [("red", True), ("blue", False)]
    assert found[0].metrics["accuracy"] == 0.66
    assert found[0].estimate.low < found[0].estimate.value < found[0].estimate.high


def test_a_small_part_is_named_and_not_judged() -> None:
    values = pd.array(["red"] * 390 + ["blue"] * 10, dtype="string")
    found, too_small = evaluated_slices(Column("c", "category", "category", categories=("blue", "red")), values)
    assert [one.value for one in found] == ["red"]
    assert too_small == [("c", "blue", 10)]


@pytest.mark.parametrize(("role", "n_found"), [("feature", 2), ("ignore", 2), ("id", 2)])
def test_a_protected_column_is_judged_whatever_its_size_and_role(role: str, n_found: int) -> None:
    values = pd.array(["red"] * 399 + ["blue"], dtype="string")
    column = Column("c", "category", "category", categories=("blue", "red"), role=role, protected=True)
    assert len(evaluated_slices(column, values)[0]) == n_found


@pytest.mark.parametrize(
    "column", [Column("c", "text", "string"), Column("c", "integer", "Int64", role="id")], ids=["text", "id"]
)
def test_text_and_ids_are_not_cut(column: Column) -> None:
    assert evaluated_slices(column, pd.array([1] * N, dtype="Int64")) == ([], [])


def test_a_figure_that_is_not_defined_comes_last() -> None:
    values = pd.array(np.where(CODE == 1, "red", "blue"), dtype="string")
    values[:20] = None
    config = CONFIG.model_copy(update={"slices": CONFIG.slices.model_copy(update={"metric": "roc_auc"})})
    frame = pd.DataFrame({"c": values})
    column = Column("c", "category", "category", categories=("blue", "red"))
    wrong = np.arange(N) % 7 == 0
    found, _ = evaluate_slices(
        scored_rows_with_errors(wrong), frame, frame, Schema("s", (column,), TARGET), config, seed=0
    )
    assert [(one.value, one.estimate.value is None, one.is_clearly_worse) for one in found[1:]] == [
        ("blue", True, None),
        ("red", True, None),
    ]


@examples(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.integers(-5, 5) | st.integers(-(2**50), 2**50), min_size=8, max_size=60),
    st.integers(2, 8),
)
def test_the_parts_of_a_column_hold_each_row_once(values: list[int | None], quantiles: int) -> None:
    column = Column("n", "integer", "Int64")
    series = pd.Series(values, dtype="Int64")
    parts = dict(_column_slices(column, series, series, quantiles))
    assert np.sum([inside.astype(int) for inside in parts.values()], axis=0).tolist() == [1] * len(values)
    assert len(parts) <= quantiles + 1
