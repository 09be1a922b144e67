"""The files of the state are private from their creation, and a connection to a replaced file is not used."""

from __future__ import annotations

import os
import shutil
from datetime import date
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pipeline import state as store
from pipeline.errors import DependencyUnavailable
from pipeline.package import PackageStore
from pipeline.serving.files.prediction_export import export_day
from pipeline.storage import StoragePath
from pipeline.tracking.run_outbox import PendingRunHeader, create_pending_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_commit_into_a_replaced_file_is_an_error(tmp_path: Path, suffix: str) -> None:
    state = store.open_state(tmp_path)
    path = tmp_path / f"state/state.db{suffix}"
    with pytest.raises(DependencyUnavailable, match="replaced or removed while it was open"):  # noqa: SIM117 - the inner block raises at its end
        with state.writing() as connection:
            store.append_audit_entry(connection, AUDIT_EVENT, model="m")
            shutil.copy2(path, tmp_path / "copy")
            (tmp_path / "copy").replace(path)
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
