"""The files of the state are private from their creation, and a connection to a replaced file is not used."""

from __future__ import annotations

import ast
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import contextmanager, nullcontext, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event, text

from pipeline import state as store
from pipeline.errors import DependencyUnavailable
from pipeline.package import PackageStore
from pipeline.serving.files.prediction_export import export_day
from pipeline.storage import StoragePath
from pipeline.tracking.run_outbox import PendingRunHeader, create_pending_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AUDIT_EVENT = store.AuditEvent("ada", "register", 1)
ROW = store.PredictionRow("p", 5, "m", 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", "", 1, 1.0, None, None)


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277])
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in [folder, *folder.iterdir()]}


@pytest.mark.usefixtures("any_umask")
def test_database_backup_and_export_are_private_whatever_the_umask_is(tmp_path: Path) -> None:
    state = store.open_state(tmp_path)
    writer = store.PredictionWriter(state)
    writer.write([ROW])
    assert modes(tmp_path / "state") == {
        "state": 0o700,
        "state.db": 0o600,
        "state.db-wal": 0o600,
        "state.db-shm": 0o600,
    }
    backup = store.back_up_state(state, tmp_path / "state/backups")
    assert modes(tmp_path / "state/backups") == {"backups": 0o700, backup.name: 0o600}
    export_day(state, date(1970, 1, 1), StoragePath.parse(tmp_path / "exported/day.parquet"))
    assert modes(tmp_path / "exported") == {"exported": 0o700, "day.parquet": 0o600}
    writer.close()
    state.close()


def register_package(root: Path, package: Path) -> None:
    PackageStore(root / "state/packages").add(package)


def start_run(root: Path, _package: Path) -> None:
    create_pending_run(root, PendingRunHeader("experiment", "run", 0, {}))


@pytest.mark.parametrize("create", [register_package, start_run])
def test_the_state_folder_is_private_whoever_creates_it(
    tmp_path: Path, packages: dict[str, Path], create: Callable[[Path, Path], None]
) -> None:
    create(tmp_path, packages["linear"])
    assert modes(tmp_path / "state")["state"] == 0o700


def test_a_folder_that_exists_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o750)
    store.open_state(tmp_path).close()
    assert modes(tmp_path / "state")["state"] == 0o750


def test_a_removed_database_is_not_created_anew(tmp_path: Path) -> None:
    state = store.open_state(tmp_path)
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").mkdir()
    for attempt in (state.reading, state.writing):
        with pytest.raises(DependencyUnavailable, match="unable to open"), attempt():
            pass
    assert list((tmp_path / "state").iterdir()) == []
    state.close()


@contextmanager
def changing_file(path: Path, change: Callable[[Path], None], *, n_times: int = 1) -> Iterator[None]:
    """Change a file, as another program might, just after a new connection has opened it."""
    times = iter(range(n_times))

    class InterruptedOpening(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            cursor = super().execute(statement, *values)
            if statement == "PRAGMA schema_version" and next(times, None) is not None:
                change(path)
            return cursor

    def use_class(_dialect: object, _record: object, _args: object, options: dict[str, Any]) -> None:
        options["factory"] = InterruptedOpening

    event.listen(Engine, "do_connect", use_class)  # that of a class is called before that of an engine
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", use_class)
    assert next(times, None) is None


def replace_by_copy(path: Path) -> None:
    shutil.copy2(path, path.parent / "copy")
    (path.parent / "copy").replace(path)


def read_entries(root: Path) -> list[str]:
    """Read the audit entries in a process of its own, which knows nothing of the log of this one."""
    sql = "SELECT action FROM audit ORDER BY seq"
    program = (
        f"import sqlite3; print([r[0] for r in sqlite3.connect({str(root / 'state/state.db')!r}).execute({sql!r})])"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    return [str(action) for action in ast.literal_eval(output)]


def append_entry(state: store.State) -> None:
    with state.writing() as connection:
        store.append_audit_entry(connection, AUDIT_EVENT, model="m")


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize("change", [Path.unlink, replace_by_copy])
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_file_that_changes_while_a_connection_is_opened_costs_no_commit(
    tmp_path: Path, change: Callable[[Path], None], suffix: str, *, is_first: bool
) -> None:
    state = store.open_state(tmp_path)
    append_entry(state)
    n_entries = 1
    if is_first:
        state.engine.dispose()
    reader = nullcontext() if is_first else state.reading()
    with changing_file(tmp_path / f"state/state.db{suffix}", change), reader:
        for _ in range(3):
            with suppress(DependencyUnavailable):
                append_entry(state)
                n_entries += 1
    append_entry(state)
    assert read_entries(tmp_path) == ["register"] * (n_entries + 1)
    if is_first and suffix == "-wal":
        assert n_entries == 4
    state.close()


def test_a_file_that_changes_at_each_attempt_is_not_opened(tmp_path: Path) -> None:
    state = store.open_state(tmp_path)
    state.engine.dispose()
    changes = changing_file(tmp_path / "state/state.db-wal", Path.unlink, n_times=5)
    with changes, pytest.raises(DependencyUnavailable, match="changes while it is opened"):
        append_entry(state)
    append_entry(state)
    state.close()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_commit_into_a_replaced_file_is_an_error(tmp_path: Path, suffix: str) -> None:
    state = store.open_state(tmp_path)
    path = tmp_path / f"state/state.db{suffix}"
    with pytest.raises(DependencyUnavailable, match="replaced or removed while it was open"):  # noqa: SIM117 - the inner block raises at its end
        with state.writing() as connection:
            store.append_audit_entry(connection, AUDIT_EVENT, model="m")
            replace_by_copy(path)
    state.close()


def test_readers_follow_a_replaced_file(tmp_path: Path) -> None:
    state = store.open_state(tmp_path)
    with state.writing() as connection:
        store.append_audit_entry(connection, AUDIT_EVENT, model="m")
    other = store.open_state(tmp_path / "other")
    other.close()
    (tmp_path / "other/state/state.db").replace(tmp_path / "state/state.db")
    with pytest.raises(DependencyUnavailable, match="belongs to the file before"), state.reading():
        pass
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"state/state.db{suffix}").unlink()
    with state.reading() as connection:
        assert store.read_audit_entries(connection) == []
    state.close()


def test_the_check_passes_until_a_table_is_gone(state: store.State) -> None:
    assert not state.check_storage()
    with state.writing() as connection:
        connection.execute(text("ALTER TABLE idempotent_responses RENAME TO other"))
    with pytest.raises(DependencyUnavailable, match="idempotent_responses"):
        state.check_storage()
