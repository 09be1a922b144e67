"""The last moment that a database has seen follows rows without a long gap, and nothing beyond one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEVER = 2**62


def log(state: store.State, moments: list[int], model: str = "m") -> None:
    writer = store.PredictionWriter(state)
    row = store.PredictionRow("", 0, model, 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", "", 1, 1.0, None, None)
    writer.write([row._replace(prediction_id=f"{model}{at}", predicted_at=at) for at in moments])
    writer.close()


def seen(state: store.State, *, until: int = NEVER) -> int | None:
    with state.reading() as connection:
        return store.read_seen_clock(connection, until=until, max_gap=10)


@pytest.fixture
def file_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[store.State]:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    with closing(store.open_state(tmp_path)) as state:
        yield state


def test_an_empty_database_has_seen_nothing(file_state: store.State) -> None:
    assert seen(file_state) is None


@pytest.mark.parametrize(
    ("moments", "expected"),
    [([5], 5), ([5, 15, 25], 25), ([5, 15, 26], 15), ([5, 1000], 5), ([1000, 7, 12, 5], 12), ([5, 6, 7, 8, 19], 8)],
)
def test_rows_are_followed_up_to_a_gap(file_state: store.State, moments: list[int], expected: int) -> None:
    log(file_state, moments)
    assert seen(file_state) == expected


def test_models_and_the_audit_trail_close_each_others_gaps(file_state: store.State) -> None:
    log(file_state, [5, 25])
    log(file_state, [15, 45], model="other")
    with file_state.writing() as connection:
        store.append_audit_entry(connection, store.AuditEvent("ada", "register", 35), model="m")
    assert seen(file_state) == 45


def test_a_record_replaces_older_evidence(file_state: store.State) -> None:
    log(file_state, [5, 60])
    for moment in (40, 50):
        with file_state.writing() as connection:
            store.record_seen_clock(connection, moment)
    assert seen(file_state) == 60
    with file_state.writing() as connection:
        store.record_seen_clock(connection, 20)
    assert seen(file_state) == 20
    assert seen(file_state, until=25) == 20
