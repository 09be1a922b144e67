"""The database opens, refuses what it cannot be, and loses nothing when it changes its form."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, exc, text

from pipeline import state as store
from pipeline.errors import ConfigError, Conflict, DatabaseDamaged, DatabaseMissing, DependencyUnavailable
from pipeline.state.schema_migration import HEAD_REVISION
from pipeline.state.tables import METADATA
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

AUDIT_EVENT = store.AuditEvent("ada", "register", 1)


def _set_schema_version(state: store.State, form: str) -> None:
    with state.writing() as connection:
        connection.execute(text("UPDATE mlops_schema SET version_num = :form"), {"form": form})


def test_the_head_revision_is_the_last_migration() -> None:
    scripts = ScriptDirectory(str(ROOT / "pipeline/state/migrations"))
    assert scripts.get_current_head() == HEAD_REVISION


def _is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or not str(name).startswith("predictions_")


def test_migrated_tables_match_their_declaration(state: store.State) -> None:
    options = {"version_table": "mlops_schema", "include_name": _is_no_partition}
    with state.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    # On PostgreSQL each partition keeps its own identifiers apart.
    expected = [] if state.is_file else [("add_constraint", "uq_predictions_prediction_id")]
    assert [(what, getattr(one, "name", one)) for what, one in differences] == expected


def test_a_transaction_that_fails_leaves_nothing(state: store.State) -> None:
    with pytest.raises(RuntimeError), state.writing() as connection:
        store.append_audit_entry(connection, AUDIT_EVENT, model="m")
        raise RuntimeError
    with state.reading() as connection:
        assert store.read_audit_entries(connection) == []


def test_a_reader_sees_a_single_snapshot(state: store.State) -> None:
    with state.reading() as before:
        assert store.read_audit_entries(before) == []
        with state.writing() as connection:
            store.append_audit_entry(connection, AUDIT_EVENT, model="m")
        assert store.read_audit_entries(before) == []
    with state.reading() as after:
        assert len(store.read_audit_entries(after)) == 1


@pytest.mark.parametrize("is_used_later", [False, True])
def test_a_connection_that_a_closed_database_gets_back_is_closed(is_used_later: bool, state: store.State) -> None:
    state.close()
    changes: list[int] = []
    event.listen(state.engine, "connect", lambda *_: changes.append(1))
    event.listen(state.engine, "close", lambda *_: changes.append(-1))
    with state.reading():  # a thread that works on
        state.close()
    if is_used_later:
        with state.reading():
            pass
    assert changes == [1, -1, 1, -1][: 4 if is_used_later else 2]


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"])
def test_the_audit_trail_refuses_changes(state: store.State, change: str) -> None:
    with state.writing() as connection:
        store.append_audit_entry(connection, AUDIT_EVENT, model="m")
    with pytest.raises((exc.DatabaseError, DependencyUnavailable), match="append-only"), state.writing() as connection:
        connection.execute(text(change))


def test_a_newer_schema_is_refused_and_unchanged(state: store.State, tmp_path: Path) -> None:
    _set_schema_version(state, "9999")
    with pytest.raises(Conflict, match="newer than"):
        store.open_state(tmp_path)
    with pytest.raises(Conflict, match="newer than"):
        store.upgrade_schema(state, tmp_path / "backups")
    assert store.schema_revision(state).current == "9999"


def test_an_older_schema_requires_an_upgrade(state: store.State, tmp_path: Path) -> None:
    _set_schema_version(state, "0000")
    with pytest.raises(Conflict, match="run `mlops state upgrade`"):
        store.open_state(tmp_path)


def test_a_current_database_needs_no_upgrade(state: store.State, tmp_path: Path) -> None:
    assert store.upgrade_schema(state, tmp_path / "backups") is None
    assert not (tmp_path / "backups").exists()


@pytest.mark.usefixtures("starts_processes")
def test_two_programs_that_open_an_empty_database_at_once_both_can(address: str, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from pipeline.state import open_state; open_state(Path(sys.argv[1]))"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=ROOT,
            env={"MLOPS_STATE_URL": address, "PATH": "/usr/bin:/bin"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0, 0], ended


def test_writers_follow_each_other_and_numbers_have_no_gap(state: store.State) -> None:
    def write() -> None:
        for _ in range(10):
            with state.writing() as connection:
                store.append_audit_entry(connection, AUDIT_EVENT, model="m")

    writers = [threading.Thread(target=write) for _ in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    with state.reading() as connection:
        assert [entry.seq for entry in store.read_audit_entries(connection)] == list(range(1, 41))
        assert store.verify_audit_chain(connection) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "the address is not valid"),
        ("mysql://x/y", "mysql is not supported as state database"),
        ("sqlite://", "in-memory state database is not supported"),
    ],
)
def test_an_invalid_url_is_refused(url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.STATE_URL_ENV, url)
    with pytest.raises(ConfigError, match=message):
        store.open_state(tmp_path)


def test_an_unreachable_server_is_named_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.STATE_URL_ENV, "postgresql://ada:secret@127.0.0.1:1/x")  # pragma: allowlist secret
    with pytest.raises(DependencyUnavailable, match=r"ada:\*\*\*@127\.0\.0\.1:1/x") as caught:
        store.open_state(tmp_path)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state.db").write_text("no database, but long enough to have a header" * 50, encoding="utf-8")
    monkeypatch.setenv(store.STATE_URL_ENV, f"sqlite:///{tmp_path / 'state.db'}")
    with pytest.raises(
        DatabaseDamaged, match=r"the state database is damaged \(file is not a database\); restore a backup"
    ):
        store.open_state(tmp_path)


@pytest.mark.parametrize("is_empty_file", [False, True])
def test_a_lost_database_is_not_created_anew_beside_its_packages(is_empty_file: bool, tmp_path: Path) -> None:
    (tmp_path / "state/packages" / ("a" * 64)).mkdir(parents=True)
    if is_empty_file:
        (tmp_path / "state/state.db").touch()
    for opens in (store.open_state, store.connect_to_project, store.state_exists):
        with pytest.raises(DatabaseMissing, match="although 1 registered package exists in state/packages; restore"):
            opens(tmp_path)
    assert (tmp_path / "state/state.db").exists() == is_empty_file
