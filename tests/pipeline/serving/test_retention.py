"""Log rows are removed after the declared time, and all rows of a subject on request."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from pipeline import state as store
from pipeline.serving.retention import RetentionWorker, erase_subject, prune_log
from pipeline.state import open_state, read_audit_entries
from pipeline.state.tables import idempotent_responses, outcomes, predictions
from tests.fixtures import postgresql_server as server
from tests.fixtures.registered_project import log_settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pipeline.state import State

DAY_US = 86_400_000_000


def table_counts(state: State) -> list[int]:
    with state.reading() as connection:
        tables = (predictions, outcomes, idempotent_responses)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def test_a_subject_is_erased_with_its_predictions_outcomes_and_responses(logged_state: State) -> None:
    assert erase_subject(logged_state, "ada", actor="eve") == 3
    assert table_counts(logged_state) == [2, 2, 2]
    with logged_state.reading() as connection:
        last = read_audit_entries(connection)[-1]
    assert (last.actor, last.action) == ("eve", "erase")
    assert "ada" not in json.dumps(last.after)


def test_rows_that_exceed_the_retention_time_are_removed(logged_state: State) -> None:
    later = replace(logged_state, clock=lambda now=logged_state.clock: now() + 2 * DAY_US)
    assert prune_log(later, log_settings(retention_days=3, idempotency_hours=1)) == 5
    assert table_counts(logged_state) == [5, 5, 0]
    settings = log_settings(retention_days=1)
    if not logged_state.is_file:  # a partition is removed as a whole, when all its rows are old
        later = replace(later, clock=lambda now=later.clock: now() + settings.partition_days * DAY_US)
    assert prune_log(later, settings) == 5
    assert table_counts(logged_state) == [0, 0, 0]


def test_whole_hours_of_the_log_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    state = open_state(tmp_path)
    writer = store.PredictionWriter(state)
    writer.write(
        [
            store.PredictionRow(
                f"p{i}", i * store.HOUR_US // 6, "m", 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", 1, 1.0, None, None
            )
            for i in range(18)
        ]
    )
    writer.close()
    for end, n_removed in ((1.5, 6), (2.0, 6), (2.9, 0)):
        later = replace(state, clock=lambda end=end: DAY_US + int(end * store.HOUR_US))
        assert prune_log(later, log_settings(retention_days=1)) == n_removed
    state.close()


def test_a_failed_task_does_not_end_the_retention_thread(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = server.new_database(postgresql, template=server.template_database(postgresql))
    owner = store.connect_to(address, setting_name="here")
    writer = store.PredictionWriter(owner)
    writer.write([store.PredictionRow("a", 5, "m", 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", 1, 1.0, None, None)])
    writer.close()
    with owner.writing() as connection:
        connection.execute(text("CREATE ROLE visitor LOGIN"))
        connection.execute(text("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO visitor"))
    visitor = store.connect_to(address.replace("//tester@", "//visitor@"), setting_name="here")
    monkeypatch.setattr("pipeline.serving.retention._INTERVAL_S", 0.02)
    worker = RetentionWorker(visitor, log_settings(retention_days=1))
    worker.start()
    deadline = time.monotonic() + 20
    while table_counts(owner)[0] and time.monotonic() < deadline:
        time.sleep(0.02)
    worker.stop()
    assert table_counts(owner)[0] == 0
    assert "permission denied" in str(worker.last_error)
    visitor.close()
    owner.close()
