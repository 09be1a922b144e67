"""Drift over time equals the drift of each period's rows, and names the start of drift that lasts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.monitoring.drift.drift_history import DriftLine, DriftPoint
from pipeline.monitoring.drift.drift_report import DriftFinding
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


def test_each_period_equals_the_window_of_its_rows_against_both_baselines(project: Path) -> None:
    package, _ = production_package(project)
    number = numeric_feature(package)
    shifted = live_rows(600, seed=1)
    shifted[number] = shifted[number].max()
    write_log(project, live_rows(600, seed=2), start=START_US - hours_us(6), stop=START_US - hours_us(4))
    write_log(project, live_rows(250), start=START_US - hours_us(3), stop=START_US - hours_us(1), prefix="same")
    write_log(project, shifted, start=START_US - hours_us(1), stop=START_US, prefix="shifted")
    monitor = replace(make_monitor(project), clock=lambda: START_US - 1)
    with monitor.open_window(3) as view:
        lines = {line.column: line for line in view.drift_lines()}
        relative = {line.column: line for line in view.drift_lines(baseline="previous_window")}
    with monitor.open_window(1) as view:
        direct = {finding.column: finding for finding in view.drift.findings}
    assert {name: line.points[-1].finding for name, line in lines.items()} == direct
    assert [(point.since, point.n_rows) for point in lines[number].points] == [
        (START_US - hours_us(3), 250),
        (START_US - hours_us(1), 600),
    ]
    assert lines[number].beyond_since == relative[number].beyond_since == START_US - hours_us(1)
    assert list(lines)[: len(package.schema.features)] == list(package.schema.feature_names)
    assert [line.kind for line in lines.values()] == sorted(line.kind for line in lines.values())
    with monitor.open_window(3) as view:
        (only,) = view.drift_lines(columns={number})
    assert only.column == number


def test_the_start_of_drift_is_known_to_the_hour_in_a_long_range(project: Path) -> None:
    package, _ = production_package(project)
    number = numeric_feature(package)
    shifted = live_rows(750, seed=1)
    shifted[number] = shifted[number].max()
    write_log(project, live_rows(2_000, seed=2), start=START_US - hours_us(160), stop=START_US - hours_us(3))
    write_log(project, shifted, start=START_US - hours_us(3), stop=START_US, prefix="shifted")
    monitor = replace(make_monitor(project), clock=lambda: START_US - 1)
    with monitor.open_window(168) as view:
        lines = {line.column: line for line in view.drift_lines()}
    assert lines[number].last_run[0].until - lines[number].last_run[0].since > hours_us(1)
    assert lines[number].beyond_since == START_US - hours_us(3)


@pytest.mark.parametrize(
    ("verdicts", "since"),
    [
        (["drift", "stable", "drift", "drift"], 2),
        (["stable", "drift", "watch"], None),
        (["drift", "drift"], 0),
        (["not_enough_data"], None),
        ([], None),
    ],
)
def test_lasting_drift_begins_after_the_last_period_without_drift(verdicts: list[str], since: int | None) -> None:
    findings = [DriftFinding("age", "feature", verdict) for verdict in verdicts]  # type: ignore[arg-type] # a text
    line = DriftLine("age", "feature", tuple(DriftPoint(i, i + 1, 200, each) for i, each in enumerate(findings)))
    assert line.beyond_since == since
    assert line.is_beyond_throughout == (since == 0)


def test_a_ratio_is_unknown_without_a_value() -> None:
    finding = DriftFinding("age", "feature", "drift", value=0.3, threshold=0.2)
    assert DriftPoint(0, 1, 200, finding).ratio == pytest.approx(1.5)
    assert DriftPoint(0, 1, 9, replace(finding, value=None)).ratio is None
