"""Drift by interval names the hours in which rows changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.pipeline.monitoring.log_fixtures import (
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    numeric_feature,
    production_package,
    write_log,
)

if TYPE_CHECKING:
    from pathlib import Path

START_US = NOW - NOW % hours_us(1)


def test_shifted_rows_drift_in_their_hours_and_against_the_previous_window(project: Path) -> None:
    package, _ = production_package(project)
    number = numeric_feature(package)
    shifted = live_rows(600, seed=1)
    shifted[number] = shifted[number].max()
    write_log(project, live_rows(600, seed=2), start=START_US - hours_us(3), stop=START_US - hours_us(2))
    write_log(project, live_rows(600), start=START_US - hours_us(2), stop=START_US - hours_us(1), prefix="same")
    write_log(project, shifted, start=START_US - hours_us(1), stop=START_US, prefix="shifted")
    monitor = replace(make_monitor(project), clock=lambda: START_US - 1)
    with monitor.open_window(1) as view:
        intervals = view.drift_by_interval(interval_hours=1, n_intervals=6, columns={number})
        later = view.detect_drift(baseline="previous_window")
    with replace(monitor, clock=lambda: START_US - hours_us(1) - 1).open_window(1) as view:
        earlier = view.detect_drift(baseline="previous_window")
    of_column = [
        (interval.since, interval.verdict == "drift", interval.n_rows)
        for interval in intervals
        if interval.column == number
    ]
    assert of_column == [
        (START_US - hours_us(3), False, 600),
        (START_US - hours_us(2), False, 600),
        (START_US - hours_us(1), True, 600),
    ]
    assert (number in later.drifted_columns, later.n_reference, later.n_rows) == (True, 600, 600)
    assert (number in earlier.drifted_columns, earlier.n_reference, earlier.n_rows) == (False, 600, 600)
