"""The rows to learn from have the last outcome that counts, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from tests.pipeline.retraining.labeled_log import MODEL, START, Logged, write_outcomes, write_predictions

if TYPE_CHECKING:
    from pipeline.state import State

ALL = {"until_prediction": 99, "until_outcome": 99}


@pytest.fixture
def log(state: State) -> State:
    rows = [
        Logged(1, subject="ada"),
        Logged(2, weight=4.0),
        Logged(3),
        Logged(4, model="other"),
        Logged(5, source="simulate"),
    ]
    write_predictions(state, rows)
    write_outcomes(
        state,
        ("p0", "no", "a"),  # 1
        ("p1", "no", "b"),  # 2
        ("p3", "no", "a"),  # 3
        ("p4", "yes", "a"),  # 4
        ("p0", "yes", "b"),  # 5
        ("unknown", "yes", "b"),  # 6
    )
    return state


def read(state: State, **wanted: Any) -> list[tuple[str, str, str]]:
    with state.reading() as connection:
        rows = store.read_labeled_rows(connection, store.LabeledRows(MODEL, **{**ALL, **wanted}))
        return [(row.prediction_id, row.outcome, row.caller) for row in rows]


def test_a_correction_counts_and_rows_without_outcome_or_of_another_model_do_not(log: State) -> None:
    assert read(log) == [("p0", "yes", "b"), ("p1", "no", "b"), ("p4", "yes", "a")]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"until_outcome": 4}, [("p0", "no", "a"), ("p1", "no", "b"), ("p4", "yes", "a")]),
        ({"until_outcome": 0}, []),
        ({"until_prediction": 1}, [("p0", "yes", "b")]),
        ({"after_prediction": 1}, [("p1", "no", "b"), ("p4", "yes", "a")]),
        ({"sources": ["api"]}, [("p0", "yes", "b"), ("p1", "no", "b")]),
        ({"skip_callers": ["b"]}, [("p0", "no", "a"), ("p4", "yes", "a")]),
    ],
)
def test_each_limit_leaves_rows_or_outcomes_out(
    wanted: dict[str, Any], expected: list[tuple[str, str, str]], log: State
) -> None:
    assert read(log, **wanted) == expected


def test_a_row_has_its_moment_weight_and_features(log: State) -> None:
    with log.reading() as connection:
        rows = store.read_labeled_rows(connection, store.LabeledRows(MODEL, **ALL))
    assert (rows[1].seq, rows[1].predicted_at, rows[1].weight) == (2, START, 4.0)
    assert rows[1].features == '{"number": 2, "city": "Ulm"}'


def test_rows_may_be_limited_to_a_subject(log: State) -> None:
    with log.reading() as connection:
        rows = store.read_labeled_rows(connection, store.LabeledRows(MODEL, **ALL), subject="ada")
        assert [row.prediction_id for row in rows] == ["p0"]


def test_the_last_numbers_are_those_of_the_log(state: State) -> None:
    with state.reading() as connection:
        assert store.last_log_numbers(connection) == (0, 0)
    write_predictions(state, [Logged(1), Logged(2)])
    write_outcomes(state, ("p0", "no", ""))
    with state.reading() as connection:
        assert store.last_log_numbers(connection) == (2, 1)
