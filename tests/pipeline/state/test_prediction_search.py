"""Predictions are found by what a person asks for, newest first, a page at a time, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import state as store
from pipeline.state import PredictionQuery, PredictionRow, PredictionWriter
from pipeline.state.column_filters import ColumnFilter
from pipeline.state.prediction_search import (
    PredictionPage,
    iter_found_predictions,
    logged_prediction,
    neighboring_ids,
)

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


def search_page(state: store.State, search: PredictionQuery, **page: Any) -> tuple[list[str], PredictionPage]:
    with state.reading() as connection:
        found = store.search_predictions(connection, search, **page)
    return [prediction.prediction_id for prediction in found.predictions], found


def test_pages_are_ordered_newest_first(filled: store.State) -> None:
    first, page = search_page(filled, PredictionQuery("m"), limit=2)
    second, _ = search_page(filled, PredictionQuery("m"), limit=2, before=page.older)
    assert (first, second) == (["id-99", "id-98"], ["id-97", "id-96"])


def test_pages_of_one_moment_have_each_prediction_once(state: store.State) -> None:
    writer = PredictionWriter(state)
    writer.write([make_row(number, predicted_at=7) for number in range(5)])
    writer.close()
    seen: list[str] = []
    before = None
    while len(seen) < 5:
        ids, page = search_page(state, PredictionQuery("m"), limit=2, before=before)
        seen, before = [*seen, *ids], page.older
    assert (seen, before) == (["id-4", "id-3", "id-2", "id-1", "id-0"], None)


def test_a_search_passes_a_moment_of_more_predictions_than_it_reads(state: store.State) -> None:
    writer = PredictionWriter(state)
    writer.write([make_row(number, predicted_at=7 if number else 1) for number in range(6)])
    writer.close()
    rare = PredictionQuery("m", filters=(ColumnFilter("size", "=", "0"),))
    _, page = search_page(state, rare, max_searched=2)
    assert search_page(state, rare, before=page.older, max_searched=2)[0] == ["id-0"]


def with_filter(*words: Any) -> PredictionQuery:
    return PredictionQuery("m", filters=(ColumnFilter(*words),))


SEARCHES = [
    (PredictionQuery("m"), 100),
    (PredictionQuery("nobody"), 0),
    (PredictionQuery("m", version=1), 50),
    (PredictionQuery("m", prediction="yes"), 50),
    (PredictionQuery("m", prediction="no", version=2), 0),
    (with_filter("source", "=", "app", "log"), 0),
    (with_filter("variant", "=", "champion", "log"), 100),
    (PredictionQuery("m", since=90 * 60_000_000), 10),
    (PredictionQuery("m", since=60_000_000, until=3 * 60_000_000), 2),
    (with_filter("confidence", ">=", "0.95", "log"), 5),
    (with_filter("class", "!=", "no", "log"), 50),
    (with_filter("yes", ">", "0.5", "probability"), 100),
    (PredictionQuery("m", text="7"), 1),
    (PredictionQuery("m", text="id-42"), 1),
    (PredictionQuery("m", text="YES"), 50),
    (PredictionQuery("m", text="50%_OFF"), 100),
    (PredictionQuery("m", text="50x_off"), 0),
    (PredictionQuery("m", text="'; DROP TABLE predictions; --"), 0),
    (PredictionQuery("m", outcome="wrong"), 1),
    (PredictionQuery("m", outcome="right"), 1),
    (PredictionQuery("m", outcome="missing"), 98),
]


def test_each_filter_selects_matching_predictions(filled: store.State) -> None:
    with filled.writing() as connection:
        store.add_outcomes(connection, [("id-1", 1, "yes", "a"), ("id-1", 2, "no", "b"), ("id-2", 3, "no", "b")])
    with filled.reading() as connection:
        counts = [store.count_predictions(connection, search) for search, _ in SEARCHES]
    assert counts == [(n, None) for _, n in SEARCHES]


def test_counting_stops_at_the_maximum(filled: store.State) -> None:
    with filled.reading() as connection:
        assert store.count_predictions(connection, PredictionQuery("m"), max_count=30).n == 30


def test_a_search_reads_so_many_predictions_and_continues_from_there(filled: store.State) -> None:
    rare = PredictionQuery("m", filters=(ColumnFilter("size", "<", "50"),))
    ids, page = search_page(filled, rare, limit=2, max_searched=40)
    assert (ids, page.searched_since) == ([], 59 * 60_000_000)
    ids, page = search_page(filled, rare, limit=2, before=page.older, max_searched=40)
    assert ids == ["id-49", "id-48"]
    with filled.reading() as connection:
        assert store.count_predictions(connection, rare, max_searched=40) == (0, 59 * 60_000_000)
        assert len(list(iter_found_predictions(connection, rare, limit=1000))) == 50


def test_the_last_outcome_that_arrived_counts(filled: store.State) -> None:
    with filled.writing() as connection:
        store.add_outcomes(connection, [("id-99", 1, "no", "a"), ("id-99", 2, "yes", "b")])
    _, page = search_page(filled, PredictionQuery("m"), limit=2)
    newest, next_one = page.predictions
    assert (newest.outcome, newest.is_right, newest.features["size"]) == ("yes", True, 99)
    assert (next_one.outcome, next_one.is_right) == (None, None)


def test_a_prediction_has_neighbors_of_its_model(filled: store.State) -> None:
    with filled.reading() as connection:
        found = [logged_prediction(connection, name) for name in ("id-0", "id-50", "id-99")]
        neighbors = [neighboring_ids(connection, prediction) for prediction in found if prediction is not None]
        assert logged_prediction(connection, "nothing") is None
    assert neighbors == [(None, "id-1"), ("id-49", "id-51"), ("id-98", None)]
