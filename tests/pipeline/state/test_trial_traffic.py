"""The counts and states of servers are replaced by each write, and read back as written."""

from __future__ import annotations

from dataclasses import replace

from pipeline import state as store

TRAFFIC = store.VariantTraffic(1, "a", "challenger", 3, 1, 5, (2, 0, 1), 0.25, 10)
SERVER = store.TrialServer(1, "a", "serving", "", 5, 10)


def test_counts_are_replaced_by_server_and_variant(state: store.State) -> None:
    newer = replace(TRAFFIC, n_requests=4, durations=(3, 0, 1), updated_at=11)
    rows = [replace(TRAFFIC, variant="champion"), TRAFFIC, replace(TRAFFIC, server="b"), newer]
    with state.writing() as connection:
        for row in [*rows, replace(TRAFFIC, trial=2)]:
            store.put_variant_traffic(connection, row)
    with state.reading() as connection:
        assert store.read_variant_traffic(connection, 1) == [newer, rows[0], rows[2]]


def test_a_stop_replaces_the_state_of_its_server_alone(state: store.State) -> None:
    stopped = replace(SERVER, state="stopped", reason="failed", changed_at=20)
    with state.writing() as connection:
        for server in (SERVER, replace(SERVER, server="b"), stopped):
            store.put_trial_server(connection, server)
    with state.reading() as connection:
        assert store.read_trial_servers(connection, 1) == [replace(SERVER, server="b"), stopped]
        assert store.read_trial_servers(connection, 1, state="stopped") == [stopped]


def test_the_last_counts_of_each_hour_stay(state: store.State) -> None:
    first = replace(TRAFFIC, updated_at=10)
    later = replace(TRAFFIC, n_requests=4, updated_at=store.HOUR_US)
    last = replace(TRAFFIC, n_requests=9, updated_at=store.HOUR_US + 5)
    with state.writing() as connection:
        for row in (first, later, last):
            store.put_variant_traffic(connection, row)
    with state.reading() as connection:
        assert store.read_variant_traffic(connection, 1) == [last]
        assert store.read_variant_traffic(connection, 1, includes_earlier_hours=True) == [first, last]
