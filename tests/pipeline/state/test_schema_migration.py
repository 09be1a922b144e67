"""Tables of an older program are brought up to date after a backup, and a kill leaves them wholly old or wholly new."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from pipeline import state as store
from pipeline.errors import DependencyUnavailable
from pipeline.state import schema_migration as migrations
from pipeline.state.schema_migration import _migrate
from tests.fixtures.proof import proof_rounds
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = proof_rounds(3, long=50)
FIRST_REVISION, NEXT = "0001", "0002"

# Nothing was released, so there is one schema version; this is the one after it.
_NEXT_REVISION = '''"""Add a table."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade() -> None:
    op.create_table("later", sa.Column("seq", sa.BigInteger(), primary_key=True))
'''

_UPGRADE_SCRIPT = """
import sys
from pathlib import Path
import alembic.command, alembic.config, sqlalchemy.dialects.sqlite
from pipeline import state as store
from pipeline.state import schema_migration as migrations
root = Path(sys.argv[1])
migrations.HEAD_REVISION, migrations._MIGRATIONS = "0002", Path(sys.argv[2])
state = store.connect(root)
store.schema_revision(state)
print("ready", flush=True)
store.upgrade_schema(state, root / "backups")
"""


@pytest.fixture(autouse=True)
def _next_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program need a schema version after the first one."""
    folder = tmp_path / "migrations"
    shutil.copytree(ROOT / "pipeline/state/migrations", folder)
    (folder / "versions/m0002_next.py").write_text(_NEXT_REVISION, encoding="utf-8")
    monkeypatch.setattr(migrations, "HEAD_REVISION", NEXT)
    monkeypatch.setattr(migrations, "_MIGRATIONS", folder)


@pytest.fixture
def old(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[store.State]:
    """A database of the first form that holds a version and an audit entry."""
    monkeypatch.setenv(store.STATE_URL_ENV, address)
    opened = store.connect_to_project(tmp_path)
    _create_first_schema(opened)
    yield opened
    opened.close()


def _create_first_schema(state: store.State) -> None:
    _migrate(state, to=FIRST_REVISION)
    with state.writing() as connection:
        store.add_version(connection, "m", "0" * 64, at=1, semver="1.0.0", description="", tags={})
        store.append_audit_entry(connection, store.AuditEvent("ada", "register", 1), model="m", version=1)


def _drop_database(state: store.State) -> None:
    """Leave an empty database."""
    if state.is_file:
        state.close()
        for path in Path(str(state.engine.url.database)).parent.glob("state.db*"):
            path.unlink()
    else:
        with state.writing() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")


def is_consistent(state: store.State) -> bool:
    """Whether what was there is there, and the tables are those of the form that the database says."""
    with state.reading() as connection:
        assert [one.version for one in store.read_versions(connection)] == [1]
        assert store.verify_audit_chain(connection) == []
        tables = set(inspect(connection).get_table_names())
    found = store.schema_revision(state).current
    assert found in {FIRST_REVISION, NEXT}
    return found != NEXT or "later" in tables


def test_an_upgrade_keeps_every_row_and_makes_a_backup_first(old: store.State, tmp_path: Path) -> None:
    backup = store.upgrade_schema(old, tmp_path / "backups")
    assert store.schema_revision(old).current == NEXT
    assert is_consistent(old)
    assert backup is not None
    assert backup.stat().st_size > 0
    if old.is_file:
        assert backup.read_bytes().startswith(b"SQLite format 3")
    else:
        assert "audit" in backup.read_text(encoding="utf-8")
    assert store.upgrade_schema(old, tmp_path / "backups") is None


def test_the_backup_of_a_file_is_the_old_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    before = store.connect_to_project(tmp_path)
    _create_first_schema(before)
    backup = store.upgrade_schema(before, tmp_path / "backups")
    before.close()
    monkeypatch.setenv(store.STATE_URL_ENV, f"sqlite:///{backup}")
    backed_up = store.connect_to_project(tmp_path)
    assert store.schema_revision(backed_up).current == FIRST_REVISION
    assert is_consistent(backed_up)
    backed_up.close()


def test_an_upgrade_whose_backup_cannot_be_made_changes_nothing(old: store.State, tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("in the way", encoding="utf-8")
    with pytest.raises(DependencyUnavailable, match="the backup failed"):
        store.upgrade_schema(old, tmp_path / "backups")
    assert store.schema_revision(old).current == FIRST_REVISION


@pytest.mark.usefixtures("starts_processes")
def test_a_kill_at_any_moment_of_an_upgrade_leaves_the_old_or_the_new(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = random.Random(1)
    monkeypatch.setenv(store.STATE_URL_ENV, address)
    opened = store.connect_to_project(tmp_path)
    _create_first_schema(opened)
    for _ in range(KILLS):
        if store.schema_revision(opened).is_current:
            _drop_database(opened)
            _create_first_schema(opened)
        opened.close()
        process = subprocess.Popen(
            [sys.executable, "-c", _UPGRADE_SCRIPT, str(tmp_path), str(tmp_path / "migrations")],
            cwd=ROOT,
            env={store.STATE_URL_ENV: address, "PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.08))
            process.kill()
            process.wait(timeout=30)
        assert is_consistent(opened)
    store.upgrade_schema(opened, tmp_path / "backups")
    assert store.schema_revision(opened).is_current
    assert is_consistent(opened)
    opened.close()


def test_a_backup_is_made_beside_a_writer_and_holds_what_was_committed(tmp_path: Path) -> None:
    state = store.connect_to_project(tmp_path)
    _migrate(state)
    with state.writing() as connection:
        store.add_version(connection, "m", "0" * 64, at=1, semver="1.0.0", description="", tags={})
    with state.writing() as connection:
        store.add_version(connection, "m", "1" * 64, at=2, semver="1.1.0", description="", tags={})
        made = store.back_up_state(state, tmp_path / "backups")
    state.close()
    copied = sqlite3.connect(made)
    assert copied.execute("SELECT digest FROM versions").fetchall() == [("0" * 64,)]
    assert copied.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copied.close()


def test_nothing_is_backed_up_of_an_empty_database(tmp_path: Path) -> None:
    state = store.connect_to_project(tmp_path)
    with pytest.raises(DependencyUnavailable, match="nothing to back up"):
        store.back_up_state(state, tmp_path / "backups")
    state.close()
    assert not (tmp_path / "backups").exists()
