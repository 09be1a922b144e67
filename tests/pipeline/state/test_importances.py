"""Stored importance is that of one package, by window."""

from __future__ import annotations

from pipeline import state as store
from pipeline.state import StoredImportance


def window(start: int) -> list[StoredImportance]:
    return [
        StoredImportance("contribution", start, "size", 10, 1.0, 0.2),
        StoredImportance("loss", start, "size", 10, 5.0, 4.0),
    ]


def test_what_was_added_is_read_oldest_window_first(state: store.State) -> None:
    with state.writing() as connection:
        for start in (30, 10, 20):
            store.add_importances(connection, "m", "a" * 64, window(start))
        store.add_importances(connection, "m", "b" * 64, window(40))
    with state.reading() as connection:
        assert store.read_importances(connection, "m", "a" * 64) == [*window(10), *window(20), *window(30)]
        assert store.read_importances(connection, "m", "a" * 64, since=20) == [*window(20), *window(30)]
        assert store.read_importances(connection, "other", "a" * 64) == []
