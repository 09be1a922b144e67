"""A table that accepts rows and discards them is noticed before anything is acknowledged, on each database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pipeline import state as store
from pipeline.errors import DependencyUnavailable
from tests.pipeline.state.test_prediction_writer import make_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FUNCTION_SQL = "CREATE FUNCTION discard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$"
_IGNORE_SOME_SQL = (
    "CREATE TRIGGER discard BEFORE INSERT ON {table} WHEN new.{key} LIKE '%3' OR new.{key} = '?'"
    " BEGIN SELECT RAISE(IGNORE); END"
)
# The ways to discard rows of a table, and back.
DISCARDING: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "sqlite": {
        "a trigger ignores the row": (
            ("CREATE TRIGGER discard BEFORE INSERT ON {table} BEGIN SELECT RAISE(IGNORE); END",),
            ("DROP TRIGGER discard",),
        ),
        "a trigger deletes the row": (
            ("CREATE TRIGGER discard AFTER INSERT ON {table} BEGIN DELETE FROM {table} WHERE rowid = new.rowid; END",),
            ("DROP TRIGGER discard",),
        ),
        "a trigger ignores some rows": (
            (_IGNORE_SOME_SQL,),
            ("DROP TRIGGER discard",),
        ),
        "a view stands in for the table": (
            (
                "ALTER TABLE {table} RENAME TO aside",
                "CREATE VIEW {table} AS SELECT * FROM aside",
                "CREATE TRIGGER discard INSTEAD OF INSERT ON {table} BEGIN SELECT 1; END",
            ),
            ("DROP VIEW {table}", "ALTER TABLE aside RENAME TO {table}"),
        ),
    },
    "postgresql": {
        "a trigger ignores the row": (
            (
                _FUNCTION_SQL.format("RETURN NULL;"),
                "CREATE TRIGGER discard BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION discard()",
            ),
            ("DROP TRIGGER discard ON {table}",),
        ),
        "a trigger deletes the row": (
            (
                _FUNCTION_SQL.format("DELETE FROM {table} WHERE {key} = new.{key}; RETURN NULL;"),
                "CREATE TRIGGER discard AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION discard()",
            ),
            ("DROP TRIGGER discard ON {table}",),
        ),
        "a rule does nothing": (
            ("CREATE RULE discard AS ON INSERT TO {table} DO INSTEAD NOTHING",),
            ("DROP RULE discard ON {table}",),
        ),
        "a rule deletes the row": (
            ("CREATE RULE discard AS ON INSERT TO {table} DO ALSO DELETE FROM {table} WHERE {key} = new.{key}",),
            ("DROP RULE discard ON {table}",),
        ),
    },
}
KEYS = {"predictions": "prediction_id", "idempotent_responses": "idempotency_key", "outcomes": "prediction_id"}


def run_statements(state: store.State, statements: tuple[str, ...], table: str) -> None:
    with state.writing() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.format(table=table, key=KEYS[table]))


def count_rows(state: store.State, table: str) -> int:
    with state.reading() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


@pytest.fixture
def writer(state: store.State) -> Iterator[store.PredictionWriter]:
    made = store.PredictionWriter(state)
    yield made
    made.close()


def write_single(writer: store.PredictionWriter, name: str) -> None:
    writer.write([make_row(f"{name}{at}") for at in range(5)], [store.StoredResponse(f"{name}3", 5, "", "{}", None)])


def write_batch(writer: store.PredictionWriter, name: str) -> None:
    row = make_row(name)
    shared = store.RequestValues(*(getattr(row, field) for field in store.RequestValues._fields))
    columns = [[getattr(row, field)] * 45 for field in store.RequestRows._fields[2:]]
    group = store.RequestRows(shared, [f"{name}{at}" for at in range(45)], *columns)
    writer.write([], [store.StoredResponse(f"{name}3", 5, "", "{}", None)], [group])


@pytest.mark.parametrize("table", ["predictions", "idempotent_responses"])
@pytest.mark.parametrize("write", [write_single, write_batch])
def test_predictions_and_responses_that_are_discarded_are_not_acknowledged(
    state: store.State,
    writer: store.PredictionWriter,
    write: Callable[[store.PredictionWriter, str], None],
    table: str,
) -> None:
    write(writer, "before")
    n_rows = count_rows(state, table)
    for discard, restore in DISCARDING[state.engine.dialect.name].values():
        run_statements(state, discard, table)
        with pytest.raises(DependencyUnavailable, match=rf"the table {table} .* keeps \d+ of \d+ written rows; remove"):
            write(writer, "during")
        with pytest.raises(DependencyUnavailable, match="written rows"):
            writer.check_log()
        run_statements(state, restore, table)
        run_statements(state, ("DROP FUNCTION discard",) if "FUNCTION" in discard[0] else (), table)
        assert count_rows(state, table) == n_rows
        writer.check_log()
    write(writer, "after")
    assert count_rows(state, table) == 2 * n_rows


def test_outcomes_that_are_discarded_are_not_acknowledged(state: store.State, writer: store.PredictionWriter) -> None:
    write_single(writer, "p")
    for discard, restore in DISCARDING[state.engine.dialect.name].values():
        run_statements(state, discard, "outcomes")
        with pytest.raises(DependencyUnavailable, match="the table outcomes "), state.writing() as connection:
            store.add_outcomes(connection, [(f"p{at}", 6, "yes", "api") for at in range(5)])
        run_statements(state, restore, "outcomes")
        run_statements(state, ("DROP FUNCTION discard",) if "FUNCTION" in discard[0] else (), "outcomes")
    with state.writing() as connection:
        store.add_outcomes(connection, [("p1", 6, "yes", "api")])
    assert count_rows(state, "outcomes") == 1


def test_an_entry_of_the_trail_that_is_ignored_undoes_its_decision(state: store.State) -> None:
    discard, _ = DISCARDING[state.engine.dialect.name]["a trigger ignores the row"]
    with state.writing() as connection:
        for statement in discard:
            connection.exec_driver_sql(statement.format(table="audit"))
    event = store.AuditEvent("eve", "register", 5)
    with pytest.raises(DependencyUnavailable, match=r"the table audit .* keeps 0 of 1"), state.writing() as connection:
        store.append_audit_entry(connection, event, model="m")


KEEPING = {
    "sqlite": "CREATE TRIGGER ignore_removal BEFORE DELETE ON {table} BEGIN SELECT RAISE(IGNORE); END",
    "postgresql": "CREATE RULE ignore_removal AS ON DELETE TO {table} DO INSTEAD NOTHING",
}


@pytest.mark.parametrize("table", KEYS)
def test_rows_that_are_not_removed_are_not_reported_as_erased(
    state: store.State, writer: store.PredictionWriter, table: str
) -> None:
    writer.write([make_row("a", subject="ada")], [store.StoredResponse("k", 5, "", "{}", "ada")])
    with state.writing() as connection:
        store.add_outcomes(connection, [("a", 6, "yes", "api")])
        connection.exec_driver_sql(KEEPING[state.engine.dialect.name].format(table=table))
    message = f"the table {table} .* keeps 1 removed rows"
    with pytest.raises(DependencyUnavailable, match=message), state.writing() as connection:
        store.erase_subject(connection, "ada")
    assert [count_rows(state, each) for each in KEYS] == [1, 1, 1]
