"""A page of the app shows one window: all its parts cover the same rows, and a new row is a new result."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import pytest

from app.page_queries import window_queries
from app.page_queries.window_queries import WindowKey
from pipeline.files import read_parquet
from pipeline.state import HOUR_US
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, hours_us, production_package, write_log

if TYPE_CHECKING:
    from app.page_queries.window_queries import Baseline
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture
def key(project: Workspace) -> WindowKey:
    """Log rows of the last 20 hours, and return the key of the last day of the version that predicted them."""
    rows = read_parquet(project.root / "data/train.parquet").sample(300, replace=True, random_state=0)
    now = time.time_ns() // 1000
    prefix = uuid.uuid4().hex[:12]
    write_log(project.root, rows.reset_index(drop=True), start=now - hours_us(20), stop=now, prefix=prefix)
    return WindowKey.of_range(MODEL_NAME, production_package(project.root)[1], (now - hours_us(24), now))


@pytest.mark.parametrize("baseline", ["training", "previous_window"])
def test_all_parts_of_a_window_cover_the_same_rows(key: WindowKey, baseline: Baseline) -> None:
    summary = window_queries.window_summary(key, baseline=baseline)
    total = summary.traffic["total_predictions"]
    assert total >= 300
    assert (summary.performance["total_predictions"], summary.drift.report["n_rows"]) == (total, total)
    assert summary.traffic["window"] == summary.performance["window"] == summary.degradation["window"]
    assert sum(hour.n_predictions for hour in summary.activity.predictions) == total
    for line in summary.drift.lines:
        assert sum(point.n_rows for point in line.points) in (total, 0)
    estimated = next(line for line in summary.metrics if line.metric == "accuracy").estimated
    assert sum(point.n_rows for point in estimated) == total


def test_a_metric_by_version_is_that_of_the_version(key: WindowKey) -> None:
    summary = window_queries.window_summary(key, baseline="training")
    accuracy = next(line for line in summary.metrics if line.metric == "accuracy")
    assert window_queries.version_metric_lines(key, "accuracy") == {key.version: accuracy}


def test_a_long_range_has_whole_hours_and_a_short_one_whole_minutes() -> None:
    minute = 60_000_000
    long = WindowKey.of_range("m", 1, (HOUR_US + 1, 30 * HOUR_US + 1))
    short = WindowKey.of_range("m", 1, (HOUR_US + 1, 2 * HOUR_US + 1))
    assert (long.since, long.until) == (HOUR_US, 31 * HOUR_US)
    assert (short.since, short.until) == (HOUR_US, 2 * HOUR_US + minute)
