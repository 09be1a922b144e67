"""Predictions are found by what a person asks for, newest first, a page at a time, on both databases."""

from __future__ import annotations

import pytest

from pipeline import state as store
from pipeline.state import PredictionQuery, PredictionRow, PredictionWriter

HOUR_US = 3_600_000_000


def make_row(number: int, **other: object) -> PredictionRow:
    """Return the prediction of minute `number`."""
    values = {
        "prediction_id": f"id-{number}",
        "predicted_at": number * 60_000_000,
        "model": "m",
        "version": 1 + number % 2,
        "digest": "d" * 64,
        "generation": 1,
        "features": f'{{"size": {number}, "note": "50%_off"}}',
        "prediction": ("no", "yes")[number % 2],
        "probabilities": '{"no": 0.4, "yes": 0.6}',
        "confidence": number / 100,
        "served_by": "production",
        "variant": "champion",
        "source": "api",
        "latency_us": 5,
        "weight": 1.0,
        "idempotency_key": None,
        "subject": None,
    }
    return PredictionRow(**{**values, **other})


@pytest.fixture
def filled(state: store.State) -> store.State:
    """A log with a prediction for each of a hundred minutes, and one of another model."""
    journal = PredictionWriter(state)
    journal.write([*(make_row(number) for number in range(100)), make_row(500, model="other")])
    journal.close()
    return state


def search_ids(state: store.State, search: PredictionQuery, **page: int) -> list[str]:
    with state.reading() as connection:
        return [one.prediction_id for one in store.search_predictions(connection, search, **page)]


def test_pages_are_ordered_newest_first(filled: store.State) -> None:
    first = search_ids(filled, PredictionQuery("m"), limit=2)
    second = search_ids(filled, PredictionQuery("m"), limit=2, offset=2)
    assert (first, second) == (["id-99", "id-98"], ["id-97", "id-96"])


@pytest.mark.parametrize(
    ("search", "n"),
    [
        (PredictionQuery("m"), 100),
        (PredictionQuery("nobody"), 0),
        (PredictionQuery("m", version=1), 50),
        (PredictionQuery("m", prediction="yes"), 50),
        (PredictionQuery("m", prediction="no", version=2), 0),
        (PredictionQuery("m", since=90 * 60_000_000), 10),
        (PredictionQuery("m", since=60_000_000, until=3 * 60_000_000), 2),
        (PredictionQuery("m", min_confidence=0.95), 5),
        (PredictionQuery("m", max_confidence=0.0), 1),
        (PredictionQuery("m", text='"size": 7,'), 1),
        (PredictionQuery("m", text="id-42"), 1),
        (PredictionQuery("m", text="50%_off"), 100),
        (PredictionQuery("m", text="50x_off"), 0),
        (PredictionQuery("m", text="%"), 100),
        (PredictionQuery("m", text="'; DROP TABLE predictions; --"), 0),
    ],
)
def test_each_filter_selects_matching_predictions(search: PredictionQuery, n: int, filled: store.State) -> None:
    with filled.reading() as connection:
        assert store.count_predictions(connection, search) == n


def test_counting_stops_at_the_maximum(filled: store.State) -> None:
    with filled.reading() as connection:
        assert store.count_predictions(connection, PredictionQuery("m"), max_count=30) == 30


def test_the_last_outcome_that_arrived_counts(filled: store.State) -> None:
    with filled.writing() as connection:
        store.add_outcomes(connection, [("id-99", 1, "no", "a"), ("id-99", 2, "yes", "b")])
    with filled.reading() as connection:
        newest, next_one = store.search_predictions(connection, PredictionQuery("m"), limit=2)
    assert (newest.outcome, next_one.outcome, newest.features["size"]) == ("yes", None, 99)
