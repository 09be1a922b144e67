"""A state database that is lost under a running engine is noticed in two seconds, and nothing is acknowledged."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pipeline.serving import Engine, NotReady
from pipeline.state import open_state
from tests.fixtures.project_databases import DATABASE_KIND
from tests.fixtures.registered_project import make_engine, make_rows, promote, row_body
from tests.pipeline.state.test_stored_rows import DISCARDING, run_statements

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOTICED_WITHIN_S = 2.0
RECOVERED_WITHIN_S = 15.0
ROW = row_body(make_rows(1)[0])

sqlite_only = pytest.mark.skipif(DATABASE_KIND != "sqlite", reason="tests the file of SQLite")


def database(root: Path) -> Path:
    return root / "state/state.db"


def remove_database(root: Path) -> None:
    database(root).rename(root / "aside.db")


def put_database_back(root: Path) -> None:
    (root / "aside.db").replace(database(root))


def remove_all_files(root: Path) -> None:
    (root / "aside").mkdir()
    for path in (root / "state").glob("state.db*"):
        path.rename(root / "aside" / path.name)


def put_all_files_back(root: Path) -> None:
    for path in (root / "aside").iterdir():
        path.replace(root / "state" / path.name)


def replace_by(content: bytes) -> Callable[[Path], None]:
    def replace(root: Path) -> None:
        remove_database(root)
        database(root).write_bytes(content)

    return replace


def rename_folder(root: Path) -> None:
    (root / "state").rename(root / "elsewhere")


def rename_folder_back(root: Path) -> None:
    (root / "elsewhere").rename(root / "state")


def drop_tables(root: Path) -> None:
    state = open_state(root)
    with state.writing() as connection:
        connection.execute(text("ALTER TABLE idempotent_responses RENAME TO other"))
    state.close()


def restore_tables(root: Path) -> None:
    state = open_state(root)
    with state.writing() as connection:
        connection.execute(text("ALTER TABLE other RENAME TO idempotent_responses"))
    state.close()


FAULTS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "file removed": (remove_database, put_database_back),
    "all files removed": (remove_all_files, put_all_files_back),
    "replaced by nothing": (replace_by(b""), put_database_back),
    "replaced by a text": (replace_by(b"no database" * 1000), put_database_back),
    "folder renamed": (rename_folder, rename_folder_back),
    "file made read-only": (lambda root: database(root).chmod(0o444), lambda root: database(root).chmod(0o600)),
    "folder made read-only": (
        lambda root: database(root).parent.chmod(0o555),
        lambda root: database(root).parent.chmod(0o700),
    ),
    "table renamed": (drop_tables, restore_tables),
}


async def predict(engine: Engine) -> str | None:
    """Return the identifier of an acknowledged prediction."""
    try:
        return str(json.loads(await engine.predict_row(ROW))["prediction_id"])
    except NotReady:
        return None


async def wait_for(engine: Engine, *, is_ready: bool) -> bool:
    """Return whether the engine notices a loss in time, or recovers at all."""
    deadline = time.monotonic() + (RECOVERED_WITHIN_S if is_ready else NOTICED_WITHIN_S)
    while engine.ready().is_ready != is_ready and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return engine.ready().is_ready == is_ready


def logged_ids(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT prediction_id FROM predictions")}


@sqlite_only
@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_database_is_noticed_without_requests_and_recovers(project: Path, fault: str) -> None:
    break_it, repair = FAULTS[fault]

    async def run() -> tuple[list[str | None], str]:
        engine = make_engine(project)
        await engine.start()
        ids = [await predict(engine)]
        await asyncio.to_thread(break_it, project)
        assert await wait_for(engine, is_ready=False)
        ids += [await predict(engine) for _ in range(3)]
        assert not any(character in engine.ready().reason for character in "/\\:")
        detail = engine.ready().detail
        await asyncio.to_thread(repair, project)
        assert await wait_for(engine, is_ready=True), engine.status()["reason"]
        ids.append(await predict(engine))
        await engine.close()
        return ids, detail

    ids, detail = asyncio.run(run())
    assert (ids[0] is None, ids[1:4], ids[4] is None) == (False, [None] * 3, False)
    assert ids[4] in logged_ids(database(project))
    assert "state.db" in detail


@sqlite_only
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("is_removed", [False, True])
def test_a_lost_log_file_costs_no_acknowledged_prediction(project: Path, suffix: str, is_removed: bool) -> None:
    path = project / f"state/state.db{suffix}"

    async def run() -> list[str]:
        engine = make_engine(project)
        await engine.start()
        ids = [await predict(engine)]
        shutil.copy2(path, project / "copy")
        if is_removed:
            path.unlink()
        else:
            (project / "copy").replace(path)
        ends_at = time.monotonic() + 1.0
        while time.monotonic() < ends_at:
            ids.append(await predict(engine))
            await asyncio.sleep(0.01)
        assert await wait_for(engine, is_ready=True), engine.status()["reason"]
        ids.append(await predict(engine))
        assert ids[-1] is not None
        await engine.close()
        return [prediction_id for prediction_id in ids if prediction_id is not None]

    assert set(asyncio.run(run())) <= logged_ids(database(project))


@sqlite_only
def test_a_lost_log_file_that_a_reader_still_has_open_is_not_written_until_it_ends(project: Path) -> None:
    async def run() -> list[str | None]:
        engine, reader = make_engine(project), open_state(project)
        await engine.start()
        ids = [await predict(engine)]
        with reader.reading() as connection:
            connection.execute(text("SELECT count(*) FROM predictions")).all()
            (project / "state/state.db-wal").unlink()
            assert await wait_for(engine, is_ready=False)
            assert "lost its -wal or -shm file, while a program has it open" in engine.ready().detail
            ids += [await predict(engine) for _ in range(3)]
        reader.close()
        assert await wait_for(engine, is_ready=True), engine.status()["reason"]
        ids.append(await predict(engine))
        await engine.close()
        return ids

    ids = asyncio.run(run())
    assert [prediction_id is None for prediction_id in ids] == [False, True, True, True, False]
    assert {ids[0], ids[-1]} <= logged_ids(database(project))


@sqlite_only
def test_a_file_beside_the_log_of_another_is_refused_until_the_log_is_removed(project: Path) -> None:
    """SQLite would apply the log of the old file to the new one."""

    async def run() -> tuple[str, str | None, str | None]:
        engine = make_engine(project)
        await engine.start()
        await predict(engine)
        shutil.copy2(database(project), project / "copy")
        (project / "copy").replace(database(project))
        refused = await predict(engine)
        assert await wait_for(engine, is_ready=False)
        detail = engine.ready().detail
        for suffix in ("-wal", "-shm"):
            (project / f"state/state.db{suffix}").unlink()
        assert await wait_for(engine, is_ready=True), engine.status()["reason"]
        answered = await predict(engine)
        await engine.close()
        return detail, refused, answered

    detail, refused, answered = asyncio.run(run())
    assert "belongs to the file before; stop the server, restore a backup without -wal and -shm" in detail
    assert refused is None
    assert answered in logged_ids(database(project))


@sqlite_only
def test_a_restored_backup_is_followed(project: Path) -> None:
    """The engine follows the deployments of the new file: without one it serves no model."""
    promote(project, 1, "Archived")
    with closing(sqlite3.connect(database(project))) as source, closing(sqlite3.connect(project / "copy")) as copy:
        source.backup(copy)
    promote(project, 1)

    async def run() -> bool:
        engine = make_engine(project)
        await engine.start()
        assert await predict(engine) is not None
        (project / "copy").replace(database(project))
        for suffix in ("-wal", "-shm"):
            (project / f"state/state.db{suffix}").unlink(missing_ok=True)
        assert await wait_for(engine, is_ready=False)
        await asyncio.sleep(0.7)
        assert await predict(engine) is None
        is_ready = engine.ready().is_ready
        await engine.close()
        return is_ready

    assert not asyncio.run(run())


@sqlite_only
def test_a_file_that_is_overwritten_in_place_needs_a_restart(project: Path) -> None:
    async def run() -> str:
        engine = make_engine(project)
        await engine.start()
        await asyncio.sleep(0.1)
        size = database(project).stat().st_size
        with database(project).open("r+b") as stream:
            stream.truncate(size - 4096)
        assert await wait_for(engine, is_ready=False)
        detail = engine.ready().detail
        assert await predict(engine) is None
        await engine.close()
        return detail

    assert "stop the server" in asyncio.run(run())


def test_tables_that_are_gone_are_noticed_on_each_kind_of_database(project_on: Path) -> None:
    async def run() -> tuple[str | None, str | None]:
        engine = make_engine(project_on)
        await engine.start()
        await asyncio.to_thread(drop_tables, project_on)
        assert await wait_for(engine, is_ready=False)
        refused = await predict(engine)
        await asyncio.to_thread(restore_tables, project_on)
        assert await wait_for(engine, is_ready=True), engine.status()["reason"]
        answered = await predict(engine)
        await engine.close()
        return refused, answered

    refused, answered = asyncio.run(run())
    assert (refused, answered is None) == (None, False)


def test_a_log_that_discards_rows_is_noticed_by_the_first_request_and_recovers(project_on: Path) -> None:
    state = open_state(project_on)
    discard, restore = DISCARDING[state.engine.dialect.name]["a trigger deletes the row"]

    async def run() -> tuple[list[str | None], bool]:
        engine = make_engine(project_on)
        await engine.start()
        ids = [await predict(engine)]
        await asyncio.to_thread(run_statements, state, discard, "predictions")
        ids += [await predict(engine), await predict(engine)]
        is_ready = engine.ready().is_ready
        await asyncio.sleep(0.6)  # a check of the log in between does not end the failure
        is_ready = is_ready or engine.ready().is_ready
        await asyncio.to_thread(run_statements, state, restore, "predictions")
        assert await wait_for(engine, is_ready=True), engine.status()["reason"]
        ids.append(await predict(engine))
        await engine.close()
        return ids, is_ready

    ids, was_ready = asyncio.run(run())
    state.close()
    assert ([prediction_id is None for prediction_id in ids], was_ready) == ([False, True, True, False], False)
