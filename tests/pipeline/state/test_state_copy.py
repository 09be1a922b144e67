"""A state database moves to the other kind and back with every row as it was, wholly or not at all."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import CheckConstraint, insert, select, text, update

from pipeline import state as store
from pipeline.cli.state_commands import copy as command_of_copy
from pipeline.errors import Conflict, DataError, DependencyUnavailable, IntegrityError, UsageError
from pipeline.state.schema_migration import ensure_schema
from pipeline.state.tables import METADATA, idempotent_responses, outcomes
from tests.fixtures import postgresql_server
from tests.fixtures.proof import proof_rounds
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Table

    from tests.fixtures.cli import CliRunner

KILLS = proof_rounds(1, long=50)
ODD_TEXTS = [
    "",
    "plain",
    "naïve café",
    "中文 テスト",
    "👩‍🔬🧪 \U0010ffff",
    "'\"\\ \n\t\r\x7f",
    "\\xe9 %s $1",
    " e\u0301 é ﬁ",
]
ODD_FLOATS = [0.1 + 0.2, 0.0, 5e-324, 1.7976931348623157e308, 1 / 3, 2.0**53 + 2]

_COPY_SCRIPT = """
import sys
from pipeline import state as store
old, new = (store.connect_to(url, setting_name="--to") for url in sys.argv[1:])
store.schema_revision(new)
store.copy_state(old, new, actor="ada", partition_days=7, on_progress=lambda *event: print(*event, flush=True))
"""


@pytest.fixture
def source(state: store.State) -> store.State:
    """A database of either kind with rows of every table, odd ones among them."""
    return _fill_tables(state)


def _fill_tables(state: store.State) -> store.State:
    with state.writing() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(insert(table), [_make_row(table, number) for number in range(1, 9)])
        connection.execute(text("UPDATE counters SET name = 'audit', value = 8 WHERE name = 'name 1'"))
    return state


def _make_row(table: Table, number: int) -> dict[str, Any]:
    """Return a row whose texts, floats and bytes are those that get lost on the way."""
    row: dict[str, Any] = {}
    for column in table.columns:
        kind = column.type.python_type
        if column.nullable and number % 2:
            row[column.name] = None
        elif kind is str:
            row[column.name] = ODD_TEXTS[number - 1]
        elif kind is float:
            row[column.name] = ODD_FLOATS[number % len(ODD_FLOATS)]
        elif kind is bytes:
            row[column.name] = bytes(range(256)) * (4_000 if number == 1 else 1)
        else:
            row[column.name] = 2**31 - number if str(column.type) == "INTEGER" else 2**63 - number
        is_key = column.primary_key or column.unique or column.name in ("name", "model", "prediction_id")
        if is_key and kind is not float:
            row[column.name] = number if kind is int else f"name {number}"
    known = {"version": number, **_accepted_words(table)}
    return {**row, **{name: value for name, value in known.items() if name in row}}


def _accepted_words(table: Table) -> dict[str, str]:
    """Return a word that the constraints of a table accept for each column that has a list of words."""
    conditions = [str(check.sqltext) for check in table.constraints if isinstance(check, CheckConstraint)]
    lists = [re.fullmatch(r"(\w+) IN \('([^']+)'.*\)", condition) for condition in conditions]
    return {found[1]: found[2] for found in lists if found is not None}


@pytest.fixture
def file_with_rows(tmp_path: Path) -> Iterator[store.State]:
    """An SQLite file with the same rows, for what does not depend on the direction."""
    opened = store.connect_to(f"sqlite:///{tmp_path / 'old.db'}", setting_name="--from")
    store.upgrade_schema(opened, tmp_path)
    yield _fill_tables(opened)
    opened.close()


@pytest.fixture
def on_server(postgresql: str) -> Iterator[store.State]:
    """An empty database of a server."""
    opened = store.connect_to(postgresql_server.new_database(postgresql), setting_name="--to")
    yield opened
    opened.close()


@pytest.fixture
def empty(source: store.State, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[store.State]:
    """An empty database of the other kind."""
    if source.is_file:
        address = postgresql_server.new_database(request.getfixturevalue("postgresql"))
    else:
        address = f"sqlite:///{tmp_path / 'other.db'}"
    ticks = count(1_000)
    opened = store.connect_to(address, setting_name="--to", clock=lambda: next(ticks))
    yield opened
    opened.close()


def copy_database(
    old: store.State, new: store.State, on_progress: Callable[..., None] = lambda *_: None
) -> list[store.CopiedTable]:
    return store.copy_state(old, new, actor="ada", partition_days=7, on_progress=on_progress)


def read_all_rows(state: store.State, *, excluded_tables: tuple[str, ...] = ()) -> dict[str, list[str]]:
    with state.reading() as connection:
        return {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for table in METADATA.sorted_tables
            if table.name not in excluded_tables
        }


@pytest.mark.usefixtures("starts_processes")
def test_every_table_survives_a_copy_in_both_directions(
    source: store.State, empty: store.State, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    copied = copy_database(source, empty)
    assert {one.name: one.n_rows for one in copied} == dict.fromkeys(METADATA.tables, 8)
    extended_tables = ("audit", "counters")
    assert read_all_rows(empty, excluded_tables=extended_tables) == read_all_rows(
        source, excluded_tables=extended_tables
    )
    with empty.reading() as connection:
        (last,) = store.read_audit_entries(connection, limit=1)
    assert (last.seq, last.actor, last.action) == (9, "ada", "copy state")
    assert last.evidence["from"] == source.address
    assert {one["name"]: one["sha256"] for one in last.evidence["tables"]} == {one.name: one.sha256 for one in copied}
    if source.is_file:
        address = f"sqlite:///{tmp_path / 'back.db'}"
    else:
        address = postgresql_server.new_database(request.getfixturevalue("postgresql"))
    back = store.connect_to(address, setting_name="--to")
    assert [one for one in copy_database(empty, back) if one.name not in extended_tables] == [
        one for one in copied if one.name not in extended_tables
    ]
    back.close()


def test_a_copy_continues_the_sequences_of_its_source(state: store.State, on_server: store.State) -> None:
    with state.writing() as connection:
        store.add_version(connection, "m", "0" * 64, at=1, semver="1.0.0", description="", tags={})
        store.append_audit_entry(connection, store.AuditEvent("ada", "register", 1), model="m", version=1)
        store.add_outcomes(connection, [("p1", 1, "yes", "test")])
    copy_database(state, on_server)
    with on_server.writing() as connection:
        store.add_outcomes(connection, [("p1", 2, "no", "test")])
        store.append_audit_entry(connection, store.AuditEvent("ada", "promote", 2), model="m", version=1)
    with on_server.reading() as connection:
        assert list(connection.execute(select(outcomes.c.seq).order_by(outcomes.c.seq)).scalars()) == [1, 2]
        assert [entry.action for entry in store.read_audit_entries(connection)] == ["register", "copy state", "promote"]
        assert store.verify_audit_chain(connection) == []


@pytest.mark.usefixtures("starts_processes")
def test_a_target_with_rows_is_refused_and_unchanged(source: store.State, empty: store.State) -> None:
    copy_database(source, empty)
    before = read_all_rows(empty)
    with pytest.raises(Conflict, match=r"has rows already, in .*predictions.*; nothing was changed"):
        copy_database(source, empty)
    assert read_all_rows(empty) == before


@pytest.mark.usefixtures("starts_processes")
def test_a_copy_is_rolled_back_when_the_source_grows(source: store.State, empty: store.State) -> None:
    def write(done: str, table: str, *_: int) -> None:
        if (done, table) == ("copied", "predictions"):
            with source.writing() as connection:
                store.append_audit_entry(connection, store.AuditEvent("eve", "promote", 9), model="m")

    with pytest.raises(Conflict, match=r"another program wrote to it during the copy.*Stop the servers"):
        copy_database(source, empty, write)
    assert set(map(len, read_all_rows(empty).values())) == {0}


@pytest.mark.usefixtures("starts_processes")
def test_a_row_changed_during_the_copy_is_detected(source: store.State, empty: store.State) -> None:
    ensure_schema(empty)
    with empty.writing() as connection:
        for statement in _UNSTORABLE_UPDATE[empty.engine.dialect.name]:
            connection.exec_driver_sql(statement)
    with pytest.raises(IntegrityError, match=r"predictions: 8 rows with SHA-256 .* were read back; nothing was copied"):
        copy_database(source, empty)
    assert set(map(len, read_all_rows(empty).values())) == {0}


# The third prediction gets another confidence, by the last bit.
_TAMPER_TRIGGER = "UPDATE predictions SET confidence = 0.30000000000000010 WHERE seq = 3 AND confidence > 0.3"
_UNSTORABLE_UPDATE = {
    "sqlite": [f"CREATE TRIGGER spoil AFTER INSERT ON predictions BEGIN {_TAMPER_TRIGGER}; END"],
    "postgresql": [
        f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_TAMPER_TRIGGER}; RETURN NULL; END $$",
        "CREATE TRIGGER spoil AFTER INSERT ON predictions FOR EACH STATEMENT EXECUTE FUNCTION spoil()",
    ],
}


@pytest.mark.parametrize(
    ("value", "message"), [("a\0b", "NUL"), ("x" * 201, r"too long for type character varying\(200\)")]
)
def test_a_value_that_the_target_cannot_hold_is_named(
    value: str, message: str, file_with_rows: store.State, on_server: store.State
) -> None:
    with file_with_rows.writing() as connection:
        connection.execute(
            update(idempotent_responses).where(idempotent_responses.c.idempotency_key == "name 2").values(subject=value)
        )
    with pytest.raises(
        DataError,
        match=rf"table idempotent_responses, row with idempotency_key 'name 2': .*{message}.*nothing was copied",
    ):
        copy_database(file_with_rows, on_server)
    assert set(map(len, read_all_rows(on_server).values())) == {0}


def test_a_missing_source_is_not_created(on_server: store.State, postgresql: str, tmp_path: Path) -> None:
    for address in (f"sqlite:///{tmp_path / 'none.db'}", postgresql_server.new_database(postgresql)):
        old = store.connect_to(address, setting_name="--from")
        with pytest.raises(DependencyUnavailable, match="the database is empty; there is nothing to copy"):
            copy_database(old, on_server)
        old.close()
    assert list(tmp_path.iterdir()) == []


def test_a_kill_at_any_moment_leaves_an_empty_database_that_takes_the_next_copy(
    file_with_rows: store.State, on_server: store.State
) -> None:
    moments = random.Random(1)
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", _COPY_SCRIPT, _url_with_password(file_with_rows), _url_with_password(on_server)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout:
            for _ in range(moments.randint(1, 2 * len(METADATA.tables) - 1)):
                assert process.stdout.readline()
            process.kill()
            process.wait(timeout=30)
        assert set(map(len, read_all_rows(on_server).values())) == {0}
    copy_database(file_with_rows, on_server)


def test_the_copy_command_reports_each_copied_table(
    file_with_rows: store.State, on_server: store.State, tmp_path: Path, run_cli: CliRunner
) -> None:
    old, new = (_url_with_password(one) for one in (file_with_rows, on_server))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    run = run_cli("state", "copy", "--from", old, "--to", new, cwd=tmp_path)
    assert (run.exit_code, run.err) == (0, "")
    assert f"{'predictions':<20} {8:>12} rows, equal on both sides (SHA-256 " in run.out
    assert run.out.endswith("; set MLOPS_STATE_URL to use it\n")
    with pytest.raises(UsageError, match="is the database to copy from; name another"):
        command_of_copy(target=old, source=old)


def _url_with_password(state: store.State) -> str:
    return state.engine.url.set(drivername=state.engine.dialect.name).render_as_string(hide_password=False)
