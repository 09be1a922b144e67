"""Rows of a frame are evaluated like the same rows of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DataError
from tests.pipeline.monitoring.log_fixtures import (
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    production_package,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("n_rows", [300, 600])
def test_logged_rows_and_the_same_rows_in_a_frame_give_the_same_drift_and_performance(
    project: Path, n_rows: int
) -> None:
    frame = live_rows(n_rows)
    ids = write_log(project, frame, start=NOW - hours_us(5), stop=NOW)
    target = production_package(project)[0].schema.target.column
    write_outcomes(project, list(zip(ids, frame[target].astype(str), strict=True)))
    monitor = make_monitor(project)
    logged, passed = monitor.generate_monitoring_report(), monitor.evaluate_frame(frame)
    for part in (logged, passed):
        del part["dashboard"], part["performance"]["by_version"], part["performance"]["by_source"]
        del part["performance"]["slices"], part["drift"]["window"]
        del part["performance"]["window"], part["degradation"]["window"]
    assert passed["drift"]["findings"] == logged["drift"]["findings"]
    assert passed["degradation"] == logged["degradation"]
    assert passed["performance"] == logged["performance"]


@pytest.mark.parametrize("argument", ["prediction_data", "reference_data"])
def test_an_empty_frame_is_refused(project: Path, argument: str) -> None:
    frames = {"prediction_data": live_rows(5), "reference_data": live_rows(5)}
    frames[argument] = frames[argument].head(0)
    with pytest.raises(DataError, match=f"{argument}: has no rows with columns of the model; expected a frame with"):
        make_monitor(project).evaluate_frame(frames["prediction_data"], frames["reference_data"])
