"""PostgreSQL partitions its prediction log by moment: old partitions go at once, and readers see no difference."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.serving.retention import erase_subject
from pipeline.state.tables import outcomes, predictions
from tests.fixtures import postgresql_server

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = store.DAY_US
START = 20_000 * DAY


@pytest.fixture
def postgresql_state(postgresql: str) -> Iterator[store.State]:
    """A database on PostgreSQL with our tables and without rows."""
    opened = store.connect_to(
        postgresql_server.new_database(postgresql, template=postgresql_server.template_database(postgresql)),
        setting_name="here",
    )
    yield opened
    opened.close()


def make_row(name: str, at: int, subject: str | None = None) -> store.PredictionRow:
    return store.PredictionRow(
        name, at, "m", 1, "d" * 64, 3, '{"a":1}', "yes", '{"yes":1.0}', 1.0, "production", "champion",
        "api", 1, 1.0, None, subject,
    )  # fmt: skip


def write_rows(state: store.State, *rows: store.PredictionRow) -> None:
    journal = store.PredictionWriter(state)
    journal.write(rows)
    journal.close()


def add_day_partitions(state: store.State, *moments: int, days: int = 1) -> None:
    with state.writing() as connection:
        store.add_partitions(connection, moments, days=days)


def count_rows_by_partition(state: store.State) -> dict[str, int]:
    """Return how many rows each table of the log has."""
    with state.reading() as connection:
        query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'predictions'::regclass ORDER BY 1"
        names = list(connection.execute(text(query)).scalars())
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}


def read_prediction_ids(state: store.State) -> list[str]:
    with state.reading() as connection:
        return list(connection.execute(select(predictions.c.prediction_id).order_by(predictions.c.seq)).scalars())


def test_rows_go_to_their_partition_or_the_default_until_it_exists(postgresql_state: store.State) -> None:
    add_day_partitions(postgresql_state, START)
    write_rows(
        postgresql_state,
        make_row("a", START),
        make_row("b", START + DAY - 1),
        make_row("c", START + DAY),
        make_row("d", 5),
    )
    assert count_rows_by_partition(postgresql_state) == {"predictions_2024_10_04": 2, "predictions_default": 2}
    add_day_partitions(postgresql_state, START, START + DAY)
    assert count_rows_by_partition(postgresql_state) == {
        "predictions_2024_10_04": 2,
        "predictions_2024_10_05": 1,
        "predictions_default": 1,
    }
    assert read_prediction_ids(postgresql_state) == ["a", "b", "c", "d"]


def test_existing_partitions_are_not_created_again(postgresql_state: store.State) -> None:
    add_day_partitions(postgresql_state, START)
    with postgresql_state.reading() as connection:
        assert store.missing_partitions(connection, [START, START + DAY - 1], days=1) == []


def test_a_new_partition_length_fills_the_gaps(postgresql_state: store.State) -> None:
    begin = store.partition_start(START, days=7)
    add_day_partitions(postgresql_state, begin + 2 * DAY, begin + 4 * DAY)
    add_day_partitions(postgresql_state, begin, days=7)
    write_rows(postgresql_state, *(make_row(f"r{at}", begin + at * DAY) for at in range(7)))
    assert sorted(count_rows_by_partition(postgresql_state).values()) == [0, 1, 1, 1, 2, 2]
    with postgresql_state.reading() as connection:
        assert store.missing_partitions(connection, [begin + 6 * DAY], days=7) == []


def test_the_maximum_timestamp_has_a_partition(postgresql_state: store.State) -> None:
    write_rows(postgresql_state, make_row("a", 2**63 - 1))
    add_day_partitions(postgresql_state, 2**63 - 1, days=7)
    assert sorted(count_rows_by_partition(postgresql_state).values()) == [0, 1]


def test_dropped_partitions_take_only_their_outcomes(postgresql_state: store.State) -> None:
    add_day_partitions(postgresql_state, START, START + DAY, START + 2 * DAY)
    write_rows(postgresql_state, *(make_row(f"r{at}", START + at * DAY // 2) for at in range(6)))
    with postgresql_state.writing() as connection:
        received = [(f"r{at}", START + 9 * DAY, "yes", "api") for at in (0, 2, 3, 4)]
        store.add_outcomes(connection, [*received, ("unknown", START, "yes", "api")])
    assert store.drop_partitions(postgresql_state, before=START + 2 * DAY) == 4
    assert read_prediction_ids(postgresql_state) == ["r4", "r5"]
    assert list(count_rows_by_partition(postgresql_state)) == ["predictions_2024_10_06", "predictions_default"]
    with postgresql_state.reading() as connection:
        left = connection.execute(select(outcomes.c.prediction_id).order_by(outcomes.c.seq)).scalars()
        assert list(left) == ["r4", "unknown"]
    assert store.drop_partitions(postgresql_state, before=START + 2 * DAY) == 0


def test_an_interrupted_removal_is_completed_by_the_next(postgresql_state: store.State) -> None:
    add_day_partitions(postgresql_state, START)
    write_rows(postgresql_state, make_row("a", START))
    with postgresql_state.writing() as connection:
        store.add_outcomes(connection, [("a", START, "yes", "api")])
        connection.execute(text("ALTER TABLE predictions DETACH PARTITION predictions_2024_10_04"))
        connection.execute(text("ALTER TABLE predictions_2024_10_04 RENAME TO detached_predictions_2024_10_04"))
    assert store.drop_partitions(postgresql_state, before=0) == 1
    with postgresql_state.reading() as connection:
        assert connection.execute(select(func.count()).select_from(outcomes)).scalar_one() == 0
        assert connection.execute(text("SELECT to_regclass('detached_predictions_2024_10_04')")).scalar() is None


def test_a_subject_is_erased_from_detached_partitions(postgresql_state: store.State) -> None:
    add_day_partitions(postgresql_state, START)
    write_rows(postgresql_state, make_row("a", START, "s"), make_row("b", 5, "s"))
    with postgresql_state.writing() as connection:
        connection.execute(text("ALTER TABLE predictions DETACH PARTITION predictions_2024_10_04"))
        connection.execute(text("ALTER TABLE predictions_2024_10_04 RENAME TO detached_predictions_2024_10_04"))
    assert erase_subject(postgresql_state, "s", actor="eve", hash_key=b"key") == 1
    with postgresql_state.reading() as connection:
        assert connection.execute(text("SELECT to_regclass('detached_predictions_2024_10_04')")).scalar() is None


def test_a_partition_is_not_dropped_while_it_is_read(postgresql_state: store.State) -> None:
    add_day_partitions(postgresql_state, START)
    write_rows(postgresql_state, make_row("a", START))
    with postgresql_state.reading() as connection:
        assert connection.execute(select(func.count()).select_from(predictions)).scalar_one() == 1
        with pytest.raises(Conflict, match="lock timeout"):
            store.drop_partitions(postgresql_state, before=START + DAY)
        write_rows(postgresql_state, make_row("b", START))
    assert store.drop_partitions(postgresql_state, before=START + DAY) == 2


def test_no_row_is_lost_while_partitions_come_and_go_under_writers(postgresql_state: store.State) -> None:
    draw = random.Random(1)
    moments = [[START + draw.randrange(4 * DAY) for _ in range(30)] for _ in range(3)]

    def work(number: int) -> None:
        for at, moment in enumerate(moments[number]):
            write_rows(postgresql_state, make_row(f"w{number}-{at}", moment))

    writers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for one in writers:
        one.start()
    for day in range(4):
        add_day_partitions(postgresql_state, START + day * DAY)
    for one in writers:
        one.join()
    assert count_rows_by_partition(postgresql_state)["predictions_default"] == 0
    young = {f"w{n}-{at}" for n in range(3) for at, moment in enumerate(moments[n]) if moment >= START + 2 * DAY}
    assert store.drop_partitions(postgresql_state, before=START + 2 * DAY) == 90 - len(young)
    assert set(read_prediction_ids(postgresql_state)) == young


def test_an_identifier_that_a_caller_chose_is_refused_whatever_partition_has_it(postgresql_state: store.State) -> None:
    add_day_partitions(postgresql_state, START, START + DAY)
    journal = store.PredictionWriter(postgresql_state)
    journal.write([make_row("a", START)])
    with pytest.raises(store.PredictionIdTaken, match="already; choose another"):
        journal.write([make_row("b", START + DAY), make_row("a", START + DAY)], has_client_ids=True)
    with pytest.raises(store.PredictionIdTaken, match="already; choose another"):
        journal.write([make_row("a", START)])
    journal.close()
    assert read_prediction_ids(postgresql_state) == ["a"]


def test_every_partition_is_searched_for_subjects_and_ids(postgresql_state: store.State) -> None:
    add_day_partitions(postgresql_state, START, START + DAY)
    write_rows(
        postgresql_state,
        make_row("a", START, "s"),
        make_row("b", START + DAY, "s"),
        make_row("c", 5, "s"),
        make_row("d", 5),
    )
    with postgresql_state.writing() as connection:
        assert store.existing_prediction_ids(connection, ["a", "b", "c", "e"]) == {"a", "b", "c"}
        assert store.erase_subject(connection, "s") == 3
    assert read_prediction_ids(postgresql_state) == ["d"]
