"""Groups of predictions are written whole or not at all, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from pipeline import state as store
from pipeline.errors import DependencyUnavailable
from pipeline.state.migration import _migrate  # the way back is for tests only
from pipeline.state.tables import METADATA, answers, predictions

if TYPE_CHECKING:
    from collections.abc import Iterator


def row(name: str, key: str | None = None, subject: str | None = None) -> store.PredictionRow:
    return store.PredictionRow(
        name, 5, "m", 1, "d" * 64, 3, '{"a":1}', "yes", '{"no":0.1,"yes":0.9}', 0.9, "champion", "champion", 12, 1.0, key,
        subject,
    )  # fmt: skip


@pytest.fixture
def journal(state: store.State) -> Iterator[store.Journal]:
    made = store.Journal(state)
    yield made
    made.close()


def kept(state: store.State) -> list[tuple[int, str]]:
    with state.reading() as connection:
        found = connection.execute(select(predictions.c.seq, predictions.c.prediction_id).order_by(predictions.c.seq))
        return [(one.seq, one.prediction_id) for one in found]


def test_rows_are_numbered_without_a_gap_over_groups_and_writers(state: store.State, journal: store.Journal) -> None:
    other = store.Journal(state)
    journal.append([row("a"), row("b")])
    other.append([row("c")])
    journal.append([row("d")])
    other.close()
    assert kept(state) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


def test_rows_of_one_request_are_stored_as_the_same_rows_one_by_one(state: store.State, journal: store.Journal) -> None:
    rows = [
        row(f"r{at}", "key", "subject")._replace(features=f'{{"a":{at}}}', confidence=at / 200) for at in range(170)
    ]
    shared = store.SharedValues(*(getattr(rows[0], name) for name in store.SharedValues._fields))
    own = store.RowGroup._fields[1:]
    group = store.RowGroup(shared, *([getattr(one, name) for one in rows] for name in own))
    journal.append([row("before")], groups=[group, store.RowGroup(shared, ["last"], ["{}"], ["no"], ["{}"], [0.5])])
    with state.reading() as connection:
        found = [tuple(one) for one in connection.execute(select(predictions).order_by(predictions.c.seq))]
    last = row("last", "key", "subject")._replace(features="{}", prediction="no", probabilities="{}", confidence=0.5)
    assert found == [(at, *one) for at, one in enumerate([row("before"), *rows, last], 1)]


def test_a_group_that_cannot_be_written_leaves_nothing_and_the_next_one_goes_on(
    state: store.State, journal: store.Journal
) -> None:
    journal.append([row("a")])
    with pytest.raises(DependencyUnavailable, match="the prediction log cannot be written"):
        journal.append([row("b"), row("a")])
    journal.append([row("c")])
    assert kept(state) == [(1, "a"), (2, "c")]


def test_a_key_that_was_answered_elsewhere_is_told_apart_and_nothing_is_written(
    state: store.State, journal: store.Journal
) -> None:
    answer = store.StoredAnswer("k", 5, "0" * 64, "{}", None)
    journal.append([row("a", key="k")], [answer])
    with pytest.raises(store.KeyTaken):
        journal.append([row("b", key="k")], [answer])
    assert kept(state) == [(1, "a")]
    assert journal.answers(["k", "other"]) == {"k": answer}


def test_a_lost_connection_is_opened_again(state: store.State, journal: store.Journal) -> None:
    journal.append([row("a")])
    journal._connection.close()
    journal._connection = None
    state.engine.dispose()
    journal.append([row("b")])
    assert [name for _, name in kept(state)] == ["a", "b"]


def test_what_is_about_a_subject_goes_with_its_outcomes(state: store.State, journal: store.Journal) -> None:
    journal.append(
        [row("a", subject="s"), row("b"), row("c", subject="s")], [store.StoredAnswer("k", 5, "0" * 64, "{}", "s")]
    )
    with state.writing() as connection:
        store.add_outcomes(connection, [("a", 6, "yes", "api"), ("b", 6, "no", "api"), ("b", 7, "yes", "api")])
        assert store.erase_subject(connection, "s") == 2
    with state.reading() as connection:
        assert store.last_outcomes(connection, ["a", "b"]) == {"b": "yes"}
        assert store.known_predictions(connection, ["a", "b", "c"]) == {"b"}
        assert list(connection.execute(select(answers))) == []


def test_predictions_of_the_first_form_are_kept_by_the_second(state: store.State) -> None:
    with state.writing() as connection:
        METADATA.drop_all(connection)
        connection.execute(text("DROP TABLE mlops_schema"))
        if not state.is_file:
            connection.execute(text("DROP FUNCTION refuse_audit_change"))
    _migrate(state, to="0001")
    with state.writing() as connection:
        connection.execute(text("INSERT INTO predictions VALUES (1, 'old', 5, 'm', 1, 'd', 3, '{}', 'yes', '{}')"))
    _migrate(state)
    with state.reading() as connection:
        found = connection.execute(select(predictions)).one()
    assert (found.prediction_id, found.weight, found.served_by, found.subject) == ("old", 1.0, "champion", None)
