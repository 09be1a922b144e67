"""Predictions are found by what a person asks for, newest first, a page at a time, on both databases."""

from __future__ import annotations

import pytest

from pipeline import state as store
from pipeline.state import Journal, PredictionRow, Search

HOUR = 3_600_000_000


def row(number: int, **other: object) -> PredictionRow:
    """Return the prediction of minute `number`."""
    values = {
        "prediction_id": f"id-{number}",
        "at": number * 60_000_000,
        "model": "m",
        "version": 1 + number % 2,
        "digest": "d" * 64,
        "generation": 1,
        "features": f'{{"size": {number}, "note": "50%_off"}}',
        "prediction": ("no", "yes")[number % 2],
        "probabilities": '{"no": 0.4, "yes": 0.6}',
        "confidence": number / 100,
        "served_by": "champion",
        "variant": "champion",
        "latency_us": 5,
        "weight": 1.0,
        "idempotency_key": None,
        "subject": None,
    }
    return PredictionRow(**{**values, **other})


@pytest.fixture
def filled(state: store.State) -> store.State:
    """A log with a prediction for each of a hundred minutes, and one of another model."""
    journal = Journal(state)
    journal.append([*(row(number) for number in range(100)), row(500, model="other")])
    journal.close()
    return state


def found(state: store.State, search: Search, **page: int) -> list[str]:
    with state.reading() as connection:
        return [one.prediction_id for one in store.search_predictions(connection, search, **page)]


def test_pages_follow_each_other_from_the_newest_on(filled: store.State) -> None:
    first = found(filled, Search("m"), limit=2)
    second = found(filled, Search("m"), limit=2, offset=2)
    assert (first, second) == (["id-99", "id-98"], ["id-97", "id-96"])


@pytest.mark.parametrize(
    ("search", "n"),
    [
        (Search("m"), 100),
        (Search("nobody"), 0),
        (Search("m", version=1), 50),
        (Search("m", prediction="yes"), 50),
        (Search("m", prediction="no", version=2), 0),
        (Search("m", since=90 * 60_000_000), 10),
        (Search("m", since=60_000_000, until=3 * 60_000_000), 2),
        (Search("m", least_confidence=0.95), 5),
        (Search("m", most_confidence=0.0), 1),
        (Search("m", text='"size": 7,'), 1),
        (Search("m", text="id-42"), 1),
        (Search("m", text="50%_off"), 100),
        (Search("m", text="50x_off"), 0),
        (Search("m", text="%"), 100),
        (Search("m", text="'; DROP TABLE predictions; --"), 0),
    ],
)
def test_each_filter_finds_what_it_says(search: Search, n: int, filled: store.State) -> None:
    with filled.reading() as connection:
        assert store.count_predictions(connection, search) == n


def test_counting_stops_where_it_is_told(filled: store.State) -> None:
    with filled.reading() as connection:
        assert store.count_predictions(connection, Search("m"), at_most=30) == 30


def test_the_last_outcome_that_arrived_counts(filled: store.State) -> None:
    with filled.writing() as connection:
        store.add_outcomes(connection, [("id-99", 1, "no", "a"), ("id-99", 2, "yes", "b")])
    with filled.reading() as connection:
        newest, next_one = store.search_predictions(connection, Search("m"), limit=2)
    assert (newest.outcome, next_one.outcome, newest.features["size"]) == ("yes", None, 99)
