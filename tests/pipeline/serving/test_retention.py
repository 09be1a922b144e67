"""Log rows are removed after the declared time, and all rows of a subject on request."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, func, select

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.serving.log_options import LogOptions
from pipeline.serving.retention import RetentionWorker, erase_subject, prune_log
from pipeline.state import open_state, read_audit_entries
from pipeline.state.tables import idempotent_responses, outcomes, predictions
from tests.fixtures import postgresql_server as server
from tests.fixtures.registered_project import log_settings, make_engine, make_rows, row_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.state import State

DAY_US = 86_400_000_000


def table_counts(state: State) -> list[int]:
    with state.reading() as connection:
        tables = (predictions, outcomes, idempotent_responses)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def prune(state: State, **settings: Any) -> int:
    """Remove old rows at a moment that is known to be right."""
    return prune_log(state, log_settings(**settings), actor="eve", confirms_clock=True)


def test_a_subject_is_erased_with_its_predictions_outcomes_and_responses(logged_state: State) -> None:
    assert erase_subject(logged_state, "ada", actor="eve", hash_key=b"key") == 3
    assert table_counts(logged_state) == [2, 2, 2]
    with logged_state.reading() as connection:
        last = read_audit_entries(connection)[-1]
    assert (last.actor, last.action) == ("eve", "erase")
    assert "ada" not in json.dumps(last.after)


def test_no_byte_of_an_erased_subject_remains_while_a_server_has_the_database_open(project: Path) -> None:
    canary = "SUBJECT-4711-CANARY"
    state = open_state(project)
    if not state.is_file:
        pytest.skip("PostgreSQL keeps removed rows until its next vacuum, as the documentation says")

    async def log_and_erase() -> int:
        engine = make_engine(project)
        await engine.start()
        for number in range(3):
            options = LogOptions(key=f"k{number}", subject=canary if number < 2 else "bob")
            await engine.predict_row(row_body(make_rows(3)[number]), options)
        assert any(canary.encode() in path.read_bytes() for path in (project / "state").glob("state.db*"))
        n_removed = erase_subject(state, canary, actor="eve", hash_key=b"key")
        await engine.predict_row(row_body(make_rows(1)[0]), LogOptions(subject="bob"))
        holding = [path for path in project.rglob("*") if path.is_file() and canary.encode() in path.read_bytes()]
        await engine.close()
        assert holding == []
        return n_removed

    assert asyncio.run(log_and_erase()) == 2
    state.close()


def test_the_digest_of_an_erased_subject_depends_on_the_key(logged_state: State) -> None:
    digests = set()
    for key in (b"one", b"two"):
        erase_subject(logged_state, "bob", actor="eve", hash_key=key)
        with logged_state.reading() as connection:
            digests.add(read_audit_entries(connection)[-1].after["subject_digest"])
    assert len(digests) == 2


def test_a_reader_that_holds_the_log_is_named_and_the_rows_are_gone(logged_state: State) -> None:
    if not logged_state.is_file:
        pytest.skip("PostgreSQL has no such log")
    logged_state.engine.dispose()
    with logged_state.reading() as reader:
        reader.execute(select(func.count()).select_from(predictions))
        event.listen(logged_state.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50"))
        with pytest.raises(Conflict, match="write-ahead log still holds what was erased; run the command again"):
            erase_subject(logged_state, "ada", actor="eve", hash_key=b"key")
    assert table_counts(logged_state) == [2, 2, 2]


def test_rows_that_exceed_the_retention_time_are_removed(logged_state: State) -> None:
    later = replace(logged_state, clock=lambda now=logged_state.clock: now() + 2 * DAY_US)
    assert prune(later, retention_days=3, idempotency_hours=1) == 5
    assert table_counts(logged_state) == [5, 5, 0]
    settings = log_settings(retention_days=1)
    if not logged_state.is_file:  # a partition is removed as a whole, when all its rows are old
        later = replace(later, clock=lambda now=later.clock: now() + settings.partition_days * DAY_US)
    assert prune(later, retention_days=1) == 5
    assert table_counts(logged_state) == [0, 0, 0]


def test_whole_hours_of_the_log_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    state = open_state(tmp_path)
    writer = store.PredictionWriter(state)
    writer.write(
        [
            store.PredictionRow(
                f"p{i}", i * store.HOUR_US // 6, "m", 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", "", 1, 1.0, None, None
            )
            for i in range(18)
        ]
    )
    writer.close()
    for end, n_removed in ((1.5, 6), (2.0, 6), (2.9, 0)):
        later = replace(state, clock=lambda end=end: DAY_US + int(end * store.HOUR_US))
        assert prune(later, retention_days=1) == n_removed
    state.close()


def test_a_failed_task_does_not_end_the_retention_thread(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = server.new_database(postgresql, template=server.template_database(postgresql))
    owner = store.connect_to(address, setting_name="here")
    writer = store.PredictionWriter(owner)
    writer.write([store.PredictionRow("a", 5, "m", 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", "", 1, 1.0, None, None)])
    writer.close()
    with owner.writing() as connection:
        store.record_seen_clock(connection, owner.clock())
    monkeypatch.setattr("pipeline.serving.retention._INTERVAL_S", 0.02)
    worker = RetentionWorker(owner, log_settings(retention_days=1))
    with owner.reading() as reader:  # holds the partition up that is to be made, and not the removal of rows
        reader.execute(select(func.count()).select_from(predictions))
        worker.start()
        deadline = time.monotonic() + 20
        while table_counts(owner)[0] and time.monotonic() < deadline:
            time.sleep(0.02)
        worker.stop()
    assert table_counts(owner)[0] == 0
    assert "lock timeout" in str(worker.last_error)
    owner.close()


DAYS = 365
NOW = 1_700_000_000_000_000


@pytest.fixture
def yearly_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """A log with one prediction a day for more than a year, the last one now."""
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    state = open_state(tmp_path, clock=lambda: NOW)
    log_moments(state, [NOW - day * DAY_US for day in range(DAYS + 35)])
    yield state
    state.close()


def log_moments(state: State, moments: list[int]) -> None:
    writer = store.PredictionWriter(state)
    row = store.PredictionRow("", 0, "m", 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", "", 1, 1.0, None, None)
    writer.write([row._replace(prediction_id=f"p{at}", predicted_at=at) for at in moments])
    writer.close()


def at(state: State, moment: int) -> State:
    return replace(state, clock=lambda: moment)


JUMPS_AHEAD = [8 * DAY_US, 100 * DAY_US, 400 * DAY_US, 4000 * DAY_US]


@pytest.mark.parametrize("jump", JUMPS_AHEAD)
@pytest.mark.parametrize("has_record", [False, True])
def test_a_clock_that_is_ahead_removes_nothing(yearly_state: State, jump: int, has_record: bool) -> None:
    if has_record:
        assert prune_log(yearly_state, log_settings(retention_days=DAYS), actor="eve") == 34
    before = table_counts(yearly_state)
    for _ in range(3):
        with pytest.raises(Conflict, match=r"the clock of this machine is [\d,]+ days ahead of 2023-11-14"):
            prune_log(at(yearly_state, NOW + jump), log_settings(retention_days=DAYS), actor="eve")
    assert table_counts(yearly_state) == before


def test_rows_that_were_logged_while_the_clock_was_ahead_prove_nothing(yearly_state: State) -> None:
    later = NOW + 400 * DAY_US
    log_moments(yearly_state, [later, later + DAY_US])
    with pytest.raises(Conflict, match="401 days ahead"):
        prune_log(at(yearly_state, later + DAY_US), log_settings(retention_days=DAYS), actor="eve")


@pytest.mark.parametrize("jump", [-DAY_US, -400 * DAY_US, -4000 * DAY_US])
def test_a_clock_that_went_back_removes_no_row_too_early(yearly_state: State, jump: int) -> None:
    config = log_settings(retention_days=DAYS)
    assert prune_log(yearly_state, config, actor="eve") == 34
    assert prune_log(at(yearly_state, NOW + jump), config, actor="eve") == 0
    assert prune_log(yearly_state, config, actor="eve") == 0


@pytest.mark.parametrize("retention_days", [1, 2, 7, 30])
def test_no_jump_removes_the_newest_rows(yearly_state: State, retention_days: int) -> None:
    config = log_settings(retention_days=retention_days)
    for hours in range(0, 24 * 40, 7):
        with suppress(Conflict):
            prune_log(at(yearly_state, NOW + hours * store.HOUR_US), config, actor="eve")
        with yearly_state.writing() as connection:
            store.record_seen_clock(connection, NOW)
    assert table_counts(yearly_state)[0] >= 1


def test_each_removal_is_in_the_audit_trail(yearly_state: State) -> None:
    config = log_settings(retention_days=DAYS)
    prune_log(yearly_state, config, actor="eve")
    prune_log(yearly_state, config, actor="eve")
    with yearly_state.reading() as connection:
        entries = [entry for entry in read_audit_entries(connection) if entry.action == "prune"]
    assert [(entry.actor, entry.after["n_predictions"], entry.reason) for entry in entries] == [
        ("eve", 34, "34 predictions older than 365 days")
    ]


def test_a_confirmed_clock_removes_old_rows_and_is_remembered(yearly_state: State) -> None:
    later = at(yearly_state, NOW + 30 * DAY_US)
    assert prune(later, retention_days=DAYS) == 64
    assert prune_log(at(later, NOW + 31 * DAY_US), log_settings(retention_days=DAYS), actor="eve") == 1


def test_a_log_in_daily_use_needs_no_confirmation(yearly_state: State) -> None:
    config, n_removed = log_settings(retention_days=DAYS), 0
    for day in range(0, 60, 5):
        log_moments(yearly_state, [NOW + day * DAY_US + 1])
        n_removed += prune_log(at(yearly_state, NOW + day * DAY_US + 2), config, actor="eve")
    assert n_removed == 34 + 55


def test_the_server_ignores_a_jump_of_its_clock(yearly_state: State) -> None:
    moment = [NOW]
    worker = RetentionWorker(replace(yearly_state, clock=lambda: moment[0]), log_settings(retention_days=DAYS))
    moment[0] = NOW + 6 * DAY_US
    worker._prune()
    assert table_counts(yearly_state)[0] == DAYS + 1
