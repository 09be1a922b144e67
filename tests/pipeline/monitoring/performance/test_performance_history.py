"""Metrics over time equal the metrics of each period's rows, and their limits follow from training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sklearn.metrics import accuracy_score, f1_score

from pipeline.metrics import MetricEstimate
from pipeline.monitoring.performance.performance_history import MetricLine, PerformancePoint
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

    import pandas as pd

START_US = NOW - NOW % hours_us(1)


def log_with_errors(project: Path) -> pd.DataFrame:
    """Log 400 rows in each of two hours, and give all outcomes, half of the second hour's wrong on purpose."""
    package, _ = production_package(project)
    frame = live_rows(800, seed=4)
    ids = write_log(project, frame, start=START_US - hours_us(2), stop=START_US)
    predicted = package.predict(frame).astype(str)
    other = dict(zip(package.classes, reversed(package.classes), strict=True))
    outcomes = [other[label] if i >= 400 and i % 2 else label for i, label in enumerate(predicted)]
    write_outcomes(project, list(zip(ids, outcomes, strict=True)))
    return frame.assign(predicted=predicted, outcome=outcomes)


def test_periods_equal_scikit_learn_and_the_window_of_their_rows(project: Path) -> None:
    rows = log_with_errors(project)
    monitor = replace(make_monitor(project), clock=lambda: START_US - 1)
    with monitor.open_window(2) as view:
        lines = {line.metric: line for line in view.metric_lines()}
        column = next(each.name for each in view.package.schema.features if not each.is_numeric)
        slices = {line.slice_value: line for line in view.slice_lines(column, "accuracy")}
    with monitor.open_window(1) as view:
        direct = view.performance
    later = rows.iloc[400:]
    assert [point.n_rows for point in lines["accuracy"].realized] == [400, 400]
    last = {name: line.realized[-1].estimate for name, line in lines.items()}
    assert last["accuracy"].value == accuracy_score(later["outcome"], later["predicted"])
    assert last["f1_weighted"].value == pytest.approx(
        f1_score(later["outcome"], later["predicted"], average="weighted")
    )
    for name, metric in direct.realized.metrics.items():
        assert last[name].value == pytest.approx(metric.value, abs=0.002)
    for name, metric in direct.estimated.metrics.items():
        assert lines[name].estimated[-1].estimate.value == pytest.approx(metric.value, abs=0.002)
    assert lines["accuracy"].beyond_since == lines["log_loss"].beyond_since == START_US - hours_us(1)
    for value, line in slices.items():
        part = rows[rows[column].astype(str) == value]
        n_right = sum(point.n_rows * (point.estimate.value or 0.0) for point in line.realized)
        assert n_right == pytest.approx((part["predicted"] == part["outcome"]).sum())
    assert slices


def test_too_few_outcomes_have_no_value(project: Path) -> None:
    ids = write_log(project, live_rows(300), start=START_US - hours_us(1), stop=START_US)
    package, _ = production_package(project)
    write_outcomes(project, [(name, package.classes[0]) for name in ids[:150]])
    monitor = replace(make_monitor(project), clock=lambda: START_US - 1)
    with monitor.open_window(1) as view:
        (line,) = view.metric_lines(["accuracy"])
        column = view.package.schema.feature_names[0]
        assert view.slice_lines(column, "accuracy") == ()
    (point,) = line.realized
    assert (point.estimate.value, point.estimate.reason) == (None, "150 of 200 outcomes needed")
    assert [point.n_rows for point in line.estimated] == [300]
    assert line.beyond_since is None


def _line(*, is_higher: bool, limit: float | None, values: list[tuple[float, float, float]]) -> MetricLine:
    points = tuple(PerformancePoint(i, i + 1, 200, MetricEstimate(*ends)) for i, ends in enumerate(values))
    return MetricLine("any", is_higher, None if limit is None else 0.9, limit, points)


@pytest.mark.parametrize(
    ("is_higher", "limit", "values", "since"),
    [
        (True, 0.85, [(0.8, 0.75, 0.88), (0.82, 0.8, 0.86)], 0),
        (True, 0.85, [(0.8, 0.75, 0.88), (0.82, 0.7, 0.94)], None),
        (True, 0.85, [(0.87, 0.86, 0.89)], None),
        (False, 0.95, [(0.9, 0.8, 1.0), (0.97, 0.95, 0.99)], 1),
        (True, None, [(0.1, 0.05, 0.2)], None),
    ],
)
def test_a_point_is_beyond_its_limit_if_it_is_also_significantly_worse_than_training(
    *, is_higher: bool, limit: float | None, values: list[tuple[float, float, float]], since: int | None
) -> None:
    assert _line(is_higher=is_higher, limit=limit, values=values).beyond_since == since
