"""A page of the app shows one window: all its parts cover the same rows."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import pytest

from app import monitoring_queries
from pipeline.files import read_parquet
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, hours_us, production_package, write_log

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture
def version(project: Workspace) -> int:
    """Log rows of the last 20 hours, and return the version that predicted them."""
    rows = read_parquet(project.root / "data/train.parquet").sample(300, replace=True, random_state=0)
    now = time.time_ns() // 1000
    prefix = uuid.uuid4().hex[:12]
    write_log(project.root, rows.reset_index(drop=True), start=now - hours_us(20), stop=now, prefix=prefix)
    return production_package(project.root)[1]


@pytest.mark.parametrize("against_previous_window", [False, True])
def test_all_parts_of_a_window_cover_the_same_rows(version: int, *, against_previous_window: bool) -> None:
    summary = monitoring_queries.window_summary(
        MODEL_NAME, version, 24, against_previous_window=against_previous_window
    )
    total = summary.traffic["total_predictions"]
    assert total >= 300
    assert (summary.performance["total_predictions"], summary.drift.report["n_rows"]) == (total, total)
    assert summary.traffic["window"] == summary.performance["window"] == summary.degradation["window"]
    assert sum(hour.n_predictions for hour in summary.activity.predictions) == total


def test_the_periods_of_drift_add_up_to_the_window(version: int) -> None:
    summary = monitoring_queries.window_summary(MODEL_NAME, version, 24, against_previous_window=False)
    column = summary.drift.report["findings"][0]["column"]
    n_rows = sum(point.n_rows for line in summary.drift.lines if line.column == column for point in line.points)
    assert n_rows == summary.drift.report["n_rows"]


@pytest.mark.usefixtures("empty")
def test_a_project_without_state_has_no_activity() -> None:
    activity = monitoring_queries.hourly_activity(MODEL_NAME, 24)
    assert (activity.predictions, activity.outcomes) == ((), ())
