"""Groups of predictions are written whole or not at all, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from pipeline import state as store
from pipeline.state.tables import idempotent_responses, predictions

if TYPE_CHECKING:
    from collections.abc import Iterator


def make_row(name: str, key: str | None = None, subject: str | None = None) -> store.PredictionRow:
    return store.PredictionRow(
        name, 5, "m", 1, "d" * 64, 3, '{"a":1}', "yes", '{"no":0.1,"yes":0.9}', 0.9, "production",
        "champion", "api", 12, 1.0, key, subject,
    )  # fmt: skip


@pytest.fixture
def journal(state: store.State) -> Iterator[store.PredictionWriter]:
    made = store.PredictionWriter(state)
    yield made
    made.close()


def read_ids(state: store.State) -> list[tuple[int, str]]:
    with state.reading() as connection:
        found = connection.execute(select(predictions.c.seq, predictions.c.prediction_id).order_by(predictions.c.seq))
        return [(one.seq, one.prediction_id) for one in found]


def test_rows_are_numbered_without_a_gap_over_groups_and_writers(
    state: store.State, journal: store.PredictionWriter
) -> None:
    other = store.PredictionWriter(state)
    journal.write([make_row("a"), make_row("b")])
    other.write([make_row("c")])
    journal.write([make_row("d")])
    other.close()
    assert read_ids(state) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


def test_request_rows_are_stored_like_single_rows_and_the_first_has_the_latency(
    state: store.State, journal: store.PredictionWriter
) -> None:
    rows = [
        make_row(f"r{at}", "key", "subject")._replace(features=f'{{"a":{at}}}', confidence=at / 200)
        for at in range(170)
    ]
    shared = store.RequestValues(*(getattr(rows[0], name) for name in store.RequestValues._fields))
    own = store.RequestRows._fields[1:]
    group = store.RequestRows(shared, *([getattr(one, name) for one in rows] for name in own))
    journal.write(
        [make_row("before")], request_rows=[group, store.RequestRows(shared, ["last"], ["{}"], ["no"], ["{}"], [0.5])]
    )
    with state.reading() as connection:
        found = [tuple(one) for one in connection.execute(select(predictions).order_by(predictions.c.seq))]
    last = make_row("last", "key", "subject")._replace(
        features="{}", prediction="no", probabilities="{}", confidence=0.5
    )
    others = [row._replace(latency_us=0) for row in rows[1:]]
    assert found == [(at, *one) for at, one in enumerate([make_row("before"), rows[0], *others, last], 1)]


def test_a_failed_group_is_rolled_back_and_the_next_is_written(
    state: store.State, journal: store.PredictionWriter
) -> None:
    journal.write([make_row("a")])
    with pytest.raises(store.PredictionIdTaken, match="the log has a prediction with this identifier already"):
        journal.write([make_row("b"), make_row("a")])
    journal.write([make_row("c")])
    assert read_ids(state) == [(1, "a"), (2, "c")]


def test_a_taken_idempotency_key_is_an_error_and_nothing_is_written(
    state: store.State, journal: store.PredictionWriter
) -> None:
    answer = store.StoredResponse("k", 5, "0" * 64, "{}", None)
    journal.write([make_row("a", key="k")], [answer])
    with pytest.raises(store.IdempotencyKeyTaken):
        journal.write([make_row("b", key="k")], [answer])
    assert read_ids(state) == [(1, "a")]
    assert journal.read_responses(["k", "other"]) == {"k": answer}


def test_a_lost_connection_is_reopened(state: store.State, journal: store.PredictionWriter) -> None:
    journal.write([make_row("a")])
    journal._connection.close()
    journal._connection = None
    state.engine.dispose()
    journal.write([make_row("b")])
    assert [name for _, name in read_ids(state)] == ["a", "b"]


def test_erasing_a_subject_removes_its_outcomes(state: store.State, journal: store.PredictionWriter) -> None:
    journal.write(
        [make_row("a", subject="s"), make_row("b"), make_row("c", subject="s")],
        [store.StoredResponse("k", 5, "0" * 64, "{}", "s")],
    )
    with state.writing() as connection:
        store.add_outcomes(connection, [("a", 6, "yes", "api"), ("b", 6, "no", "api"), ("b", 7, "yes", "api")])
        assert store.erase_subject(connection, "s") == 2
    with state.reading() as connection:
        assert store.latest_outcomes(connection, ["a", "b"]) == {"b": "yes"}
        assert store.existing_prediction_ids(connection, ["a", "b", "c"]) == {"b"}
        assert list(connection.execute(select(idempotent_responses))) == []
