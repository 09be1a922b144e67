"""Drift slot by slot, and against an earlier window, says when rows moved and what they moved from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config.load import load_params
from pipeline.monitoring import compare_windows, drift_by_time, roll_up
from pipeline.state import open_state
from tests.pipeline.monitoring.logs import NAME, NOW, hours, live_rows, monitor_of, production, write_log

if TYPE_CHECKING:
    from pathlib import Path

START = NOW - NOW % hours(1)


def test_rows_drift_in_the_hours_in_which_they_moved_and_against_the_hours_before(project: Path) -> None:
    monitor_of(project)
    package, _ = production(project)
    number = next(one.name for one in package.schema.features if one.is_numeric)
    moved = live_rows(600, seed=1)
    moved[number] = moved[number].max()
    write_log(project, live_rows(1_200), start=START - hours(4), stop=START - hours(2))
    write_log(project, moved, start=START - hours(1), stop=START, prefix="moved")
    config = load_params(project / "params.yaml")
    state = open_state(project)
    try:
        roll_up(state, NAME, lambda _: package)
        slots = drift_by_time(state, package, config, until=START, slot_hours=1, n_slots=6, columns={number})
        window, before = (START - hours(1), START), (START - hours(4), START - hours(2))
        later = compare_windows(state, package, config, root=project, window=window, before=before)
        same = compare_windows(state, package, config, root=project, window=before, before=before)
    finally:
        state.close()
    of_column = [(one.at, one.verdict == "drift", one.n_rows) for one in slots if one.column == number]
    assert of_column == [(START - hours(4), False, 600), (START - hours(3), False, 600), (START - hours(1), True, 600)]
    assert (number in later.drifted, later.n_reference, later.n_rows) == (True, 1_200, 600)
    assert {one.verdict for one in same.findings} == {"stable"}
