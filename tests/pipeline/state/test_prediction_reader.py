"""Rows to be counted come with the outcome known by then, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import state as store
from pipeline.errors import IntegrityError

if TYPE_CHECKING:
    from pipeline.state import State


def log_predictions(state: State, n: int) -> None:
    journal = store.PredictionWriter(state)
    journal.write(
        [
            store.PredictionRow(
                f"p{i}",
                i,
                "m",
                1,
                "d" * 64,
                1,
                "{}",
                "a",
                "{}",
                0.5,
                "production",
                "champion",
                "api",
                1,
                1.0,
                None,
                None,
            )
            for i in range(n)
        ]
    )
    journal.close()


def test_a_revised_outcome_is_returned_with_the_previous(state: State) -> None:
    log_predictions(state, 3)
    with state.writing() as connection:
        store.add_outcomes(connection, [("p0", 1, "a", "x"), ("p1", 1, "a", "x")])
    with state.writing() as connection:
        store.add_outcomes(connection, [("p0", 2, "b", "x"), ("p2", 2, "b", "x"), ("nobody", 2, "b", "x")])
    with state.reading() as connection:
        first = store.window_predictions(connection, "m", since=0, until=10)
        rows, before, until = store.changed_outcomes(connection, "m", store.RollupProgress(3, 2), limit=10)
    assert [one.outcome for one in first] == ["b", "a", "b"]
    assert ([(row.seq, row.outcome) for row in rows], before, until) == (
        [(1, "b"), (3, "b")],
        ["a", None],
        5,
    )


def test_counts_are_added_to_the_hour_and_the_day(state: State) -> None:
    key = store.RollupKey("predictions", "d" * 64, "api", 5 * store.HOUR_US)
    one = store.RollupCounts(2, 0.5, np.array([1, 0, 1], dtype=np.int64))
    for after in (0, 1):
        with state.writing() as connection:
            reach = (store.RollupProgress(after, 0), store.RollupProgress(after + 1, 0))
            store.add_rollups(connection, "m", {key: one}, after=reach[0], until=reach[1])
    with state.reading() as connection:
        days = store.read_rollups(connection, "m", "predictions", since=0, until=store.DAY_US, granularity="day")
        hours = store.count_rows_by_hour(connection, "m", "predictions", since=0, until=store.DAY_US)
    assert [(tally.n_rows, tally.confidence_sum, tally.counts.tolist()) for _, tally in days] == [(4, 1.0, [2, 0, 2])]
    assert hours == {5 * store.HOUR_US: (4, 4.0)}


def test_counts_of_different_lengths_require_a_rebuild() -> None:
    one, other = (store.RollupCounts(1, 0.0, np.zeros(n, dtype=np.int64)) for n in (2, 3))
    with pytest.raises(IntegrityError, match="run `mlops monitor rebuild`"):
        one + other
