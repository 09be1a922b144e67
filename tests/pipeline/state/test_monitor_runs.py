"""A month of monitor runs is read as the last run of each interval, about one version."""

from __future__ import annotations

from pipeline import state as store
from pipeline.state.monitor_runs import read_monitor_runs


def test_each_interval_has_its_last_run_about_the_version(state: store.State) -> None:
    moments = ((1, 5), (1, 90), (2, 95), (1, 110), (1, 350))
    with state.writing() as connection:
        for version, at in moments:
            run = store.MonitorRun("m", version, at, 0, at, "stable", None, {"at": at})
            store.add_monitor_run(connection, run)
    with state.reading() as connection:
        runs = read_monitor_runs(connection, "m", version=1, since=50, interval_us=100)
        assert [run.summary["at"] for run in runs] == [90, 110, 350]
        assert read_monitor_runs(connection, "other", version=1, since=0, interval_us=100) == []
