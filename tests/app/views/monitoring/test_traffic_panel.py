"""The error rate over time is the complement of the accuracy."""

from __future__ import annotations

import pytest

from app.views.monitoring.traffic_panel import error_points
from pipeline.metrics import MetricEstimate
from pipeline.monitoring import MetricLine, PerformancePoint


def test_the_error_rate_and_its_interval_follow_from_the_accuracy() -> None:
    known = PerformancePoint(0, 1, 200, MetricEstimate(0.9, 0.85, 0.94))
    unknown = PerformancePoint(1, 2, 9, MetricEstimate(None))
    line = MetricLine("accuracy", higher_is_better=True, baseline=0.97, limit=0.92, realized=(known, unknown))
    first, second = error_points(line)
    ends = (first.estimate.value, first.estimate.low, first.estimate.high)
    assert ends == pytest.approx((0.1, 0.06, 0.15))
    assert (first.since, first.n_rows, second.estimate.value) == (0, 200, None)
