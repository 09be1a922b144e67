"""Logged rows are compared with a frame, column by column and jointly."""

from __future__ import annotations

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


def test_a_passed_frame_can_be_the_reference(project: Path) -> None:
    monitor = make_monitor(project)
    frame = live_rows(1_000)
    write_log(project, frame, start=NOW - hours_us(5), stop=NOW)
    same = monitor.detect_data_drift(live_rows(1_500, 9))
    other = live_rows(1_500, 9)
    number = numeric_feature(production_package(project)[0])
    other[number] = other[number].max()
    differs = monitor.detect_data_drift(other, drift_threshold=0.1)
    assert (same["drift_detected"], same["multivariate"]["verdict"]) == (False, "stable")
    assert (differs["drift_detected"], differs["multivariate"]["value"] > 0.9) == (True, True)
