"""Drift slot by slot, and against an earlier window, says when rows moved and what they moved from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config.config_loader import load_params
from pipeline.monitoring import drift_between_windows, drift_by_time, roll_up
from pipeline.state import open_state
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    production_package,
    write_log,
)

if TYPE_CHECKING:
    from pathlib import Path

START_US = NOW - NOW % hours_us(1)


def test_shifted_rows_drift_in_their_hours_and_against_the_previous_window(project: Path) -> None:
    make_monitor(project)
    package, _ = production_package(project)
    number = next(one.name for one in package.schema.features if one.is_numeric)
    moved = live_rows(600, seed=1)
    moved[number] = moved[number].max()
    write_log(project, live_rows(1_200), start=START_US - hours_us(4), stop=START_US - hours_us(2))
    write_log(project, moved, start=START_US - hours_us(1), stop=START_US, prefix="moved")
    config = load_params(project / "params.yaml")
    state = open_state(project)
    try:
        roll_up(state, MODEL_NAME, lambda _: package)
        slots = drift_by_time(state, package, config, until=START_US, interval_hours=1, n_intervals=6, columns={number})
        window, before = (START_US - hours_us(1), START_US), (START_US - hours_us(4), START_US - hours_us(2))
        later = drift_between_windows(state, package, config, root=project, window=window, previous_window=before)
        same = drift_between_windows(state, package, config, root=project, window=before, previous_window=before)
    finally:
        state.close()
    of_column = [(one.since, one.verdict == "drift", one.n_rows) for one in slots if one.column == number]
    assert of_column == [
        (START_US - hours_us(4), False, 600),
        (START_US - hours_us(3), False, 600),
        (START_US - hours_us(1), True, 600),
    ]
    assert (number in later.drifted_columns, later.n_reference, later.n_rows) == (True, 1_200, 600)
    assert {one.verdict for one in same.findings} == {"stable"}
