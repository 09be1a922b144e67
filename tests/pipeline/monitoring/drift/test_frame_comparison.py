"""Logged rows are compared with a frame, column by column and jointly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

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


def test_absent_columns_of_a_passed_frame_are_not_evaluated(project: Path) -> None:
    monitor = make_monitor(project)
    frame = live_rows(1_000)
    write_log(project, frame, start=NOW - hours_us(5), stop=NOW)
    number = numeric_feature(production_package(project)[0])
    reference = live_rows(1_500, 9).drop(columns=number)
    for report in (monitor.detect_data_drift(reference), monitor.evaluate_frame(frame, reference)["drift"]):
        summaries = {finding["column"]: finding["summary"] for finding in report["findings"]}
        assert summaries[number] == "not evaluated: the reference rows have no such column"


@pytest.mark.parametrize("change", ["none", "far", "spike", "missing"])
def test_a_passed_frame_defines_the_bins_in_the_log_and_in_frames(project: Path, change: str) -> None:
    """The reference lies far outside of training, where bins of training rows would hold all values in one."""
    monitor = make_monitor(project)
    number = numeric_feature(production_package(project)[0])
    reference, window = live_rows(2_000, 9), live_rows(2_000, 4)
    rng = np.random.default_rng(2)
    reference[number], window[number] = rng.permuted(np.arange(2_000) + 5_000), rng.permuted(np.arange(2_000) + 5_000)
    change_rows = np.arange(2_000) < {"none": 0, "far": 2_000, "spike": 200, "missing": 200}[change]
    if change == "missing":
        window.loc[change_rows, number] = None
    else:
        window.loc[change_rows, number] = window[number] + 300 if change == "far" else 5_500
    write_log(project, window, start=NOW - hours_us(5), stop=NOW)
    logged, frames = monitor.detect_data_drift(reference), monitor.evaluate_frame(window, reference)["drift"]
    expected = "stable" if change == "none" else "drift"
    found = [
        next(finding for finding in report["findings"] if finding["column"] == number) for report in (logged, frames)
    ]
    assert [finding["verdict"] for finding in found] == [expected, expected]
    assert found[0]["value"] == found[1]["value"]


@pytest.mark.parametrize("change", ["none", "shift", "spike", "missing"])
def test_the_log_and_a_frame_of_the_same_rows_have_the_same_verdicts(project: Path, change: str) -> None:
    monitor = make_monitor(project)
    number = numeric_feature(production_package(project)[0])
    window = live_rows(1_500, 4)
    n_changed = {"none": 0, "shift": 1_500, "spike": 90, "missing": 150}[change]
    values = {"none": 0, "shift": window[number] + 3, "spike": 99, "missing": None}[change]
    window.loc[np.arange(1_500) < n_changed, number] = values
    write_log(project, window, start=NOW - hours_us(5), stop=NOW)
    reports = monitor.detect_data_drift(), monitor.evaluate_frame(window)["drift"]
    keys = ("column", "verdict", "statistic", "value", "p_value", "summary")
    found = [{tuple(finding[key] for key in keys) for finding in report["findings"]} for report in reports]
    assert found[0] == found[1]
    assert (number in reports[0]["drifted"]) is (change != "none")
