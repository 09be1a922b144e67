"""SQLite's write-ahead log stays small under a writer who never rests, and what is in it is never lost."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, func, select, text

from pipeline import state as store
from pipeline.state.tables import predictions

if TYPE_CHECKING:
    from pathlib import Path

_BYTES_PER_MB = 1_000_000
REQUEST_VALUES = store.RequestValues(5, "m", 1, "d" * 64, 3, "production", "champion", "api", 12, 1.0, None, None)


def make_request_rows(number: int, *, n_rows: int, width: int) -> store.RequestRows:
    ids, features = [f"{number}-{at}" for at in range(n_rows)], [f'{{"a":"{"x" * width}"}}'] * n_rows
    return store.RequestRows(REQUEST_VALUES, ids, features, ["yes"] * n_rows, ["{}"] * n_rows, [0.5] * n_rows)


def wal_size_mb(root: Path) -> float:
    return (root / "state/state.db-wal").stat().st_size / _BYTES_PER_MB


def count_logged_rows(state: store.State) -> int:
    with state.reading() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        return int(connection.execute(select(func.count()).select_from(predictions)).scalar_one())


@pytest.mark.parametrize(
    ("n_groups", "n_rows", "width", "most_mb"),
    [(800, 30, 100, 22), (24, 100, 60_000, 120)],
    ids=["small", "far wider than usual"],
)
def test_the_wal_of_a_continuous_writer_stays_bounded(
    tmp_path: Path, n_groups: int, n_rows: int, width: int, most_mb: float
) -> None:
    state = store.open_state(tmp_path)
    journal = store.PredictionWriter(state)
    largest_mb = 0.0
    for number in range(n_groups):
        journal.write([], request_rows=[make_request_rows(number, n_rows=n_rows, width=width)])
        largest_mb = max(largest_mb, wal_size_mb(tmp_path))
    journal.close()
    assert largest_mb < most_mb
    assert count_logged_rows(state) == n_groups * n_rows
    state.close()


def test_the_wal_stays_bounded_when_a_checkpoint_takes_longer_than_the_writer(tmp_path: Path) -> None:
    state = store.open_state(tmp_path)

    @event.listens_for(state.engine, "checkout")
    def delay_checkpoints(*_: object) -> None:
        if threading.current_thread().name == "checkpoint":
            time.sleep(0.5)

    writer = store.PredictionWriter(state)
    largest_mb = 0.0
    for number in range(36):
        writer.write([], request_rows=[make_request_rows(number, n_rows=100, width=60_000)])
        largest_mb = max(largest_mb, wal_size_mb(tmp_path))
    writer.close()
    state.close()
    assert largest_mb < 120


def test_the_wal_shrinks_after_a_long_reader_ends(tmp_path: Path) -> None:
    state = store.open_state(tmp_path)
    journal = store.PredictionWriter(state)
    journal.write([], request_rows=[make_request_rows(0, n_rows=1, width=100)])
    with state.reading() as connection:
        connection.execute(select(predictions)).all()
        for number in range(1, 21):
            journal.write([], request_rows=[make_request_rows(number, n_rows=100, width=60_000)])
        held_up = wal_size_mb(tmp_path)
    for number in range(21, 5_000):
        journal.write([], request_rows=[make_request_rows(number, n_rows=1, width=100)])
        if wal_size_mb(tmp_path) < 80:
            break
    assert (held_up > 100, wal_size_mb(tmp_path) < 80) == (True, True)
    journal.close()
    state.close()


def test_no_thread_outlives_the_writer(tmp_path: Path) -> None:
    state = store.open_state(tmp_path)
    journal = store.PredictionWriter(state)
    for number in range(4):
        journal.write([], request_rows=[make_request_rows(number, n_rows=10_000, width=100)])
    journal.close()
    assert [one.name for one in threading.enumerate() if one.name == "checkpoint"] == []
    state.close()
    assert not (tmp_path / "state/state.db-wal").exists()


def test_a_commit_succeeds_when_no_checkpoint_thread_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    state = store.open_state(tmp_path)
    journal = store.PredictionWriter(state)
    with monkeypatch.context() as none_left:
        none_left.setattr(threading.Thread, "start", refuse)
        journal.write([], request_rows=[make_request_rows(0, n_rows=20_000, width=100)])
    journal.close()
    assert count_logged_rows(state) == 20_000
    state.close()
