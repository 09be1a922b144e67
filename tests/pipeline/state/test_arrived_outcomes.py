"""Outcomes are read in the order of their arrival, each with its prediction and the outcome that it corrects."""

from __future__ import annotations

import pytest

from pipeline import state as store

MODEL = "m"


def _row(name: str, *, at: int, digest: str, model: str = MODEL) -> store.PredictionRow:
    return store.PredictionRow(
        prediction_id=name,
        predicted_at=at,
        model=model,
        version=1,
        digest=digest * 64,
        generation=1,
        features="{}",
        prediction="a",
        probabilities='{"a": 1.0}',
        confidence=1.0,
        served_by="production",
        variant="champion",
        source="api",
        latency_us=0,
        weight=2.0,
        idempotency_key=None,
        subject=None,
    )


@pytest.fixture
def logged(state: store.State) -> store.State:
    writer = store.PredictionWriter(state)
    rows = [("p1", 10, "a", MODEL), ("p2", 20, "b", MODEL), ("p3", 30, "a", MODEL), ("p4", 30, "a", "other")]
    writer.write([_row(name, at=at, digest=digest, model=model) for name, at, digest, model in rows])
    writer.close()
    with state.writing() as connection:
        sent = [("p3", "x"), ("p1", "x"), ("p1", "y"), ("p2", "x"), ("p4", "x"), ("gone", "x"), ("p1", "z")]
        store.add_outcomes(connection, [(name, 100 + i, label, "test") for i, (name, label) in enumerate(sent)])
    return state


@pytest.mark.parametrize(
    ("digests", "after", "until", "since", "expected"),
    [
        ("ab", 0, 9, 0, [(1, "x", None), (2, "x", None), (3, "y", "x"), (4, "x", None), (7, "z", "y")]),
        ("a", 0, 9, 0, [(1, "x", None), (2, "x", None), (3, "y", "x"), (7, "z", "y")]),
        ("ab", 2, 4, 0, [(3, "y", "x"), (4, "x", None)]),
        ("ab", 0, 9, 20, [(1, "x", None), (4, "x", None)]),
    ],
)
def test_each_outcome_comes_with_the_one_that_it_corrects(
    logged: store.State, digests: str, after: int, until: int, since: int, expected: list[tuple[int, str, str | None]]
) -> None:
    with logged.reading() as connection:
        rows = store.read_arrived_outcomes(
            connection, MODEL, [digest * 64 for digest in digests], after=after, until=until, fresh_from=since
        )
    assert [(row.seq, row.outcome, row.earlier) for row in rows] == expected
    assert {row.weight for row in rows} == {2.0}
