"""The monitor is late after its period, and zero incidents of a monitor that did not look are unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from pipeline.production_status.monitor_assessment import assess_incidents, assess_monitor
from pipeline.production_status.state_facts import N_MONITOR_RUNS
from tests.pipeline.production_status.status_scenarios import HOUR_US, NOW, incident, known, monitor_run

_DAY_US = 24 * HOUR_US


@pytest.mark.parametrize(
    ("hours_ago", "expected", "source"),
    [
        ((1, 2, 3), 3, "recorded"),
        ((1, 2, 5, 6), 2, "recorded"),
        ((1,), 1, "recorded"),
        (tuple(range(1, N_MONITOR_RUNS + 1)), N_MONITOR_RUNS, "observed"),
    ],
)
def test_the_monitor_is_on_time_since_its_unbroken_series(
    hours_ago: tuple[int, ...], expected: int, source: str
) -> None:
    moments = tuple(NOW - hours * HOUR_US for hours in hours_ago)
    status = assess_monitor(known(monitor_run=monitor_run(1), monitor_moments=moments), NOW, HOUR_US, zone=UTC)
    assert (status.since, status.since_source) == (NOW - expected * HOUR_US, source)


def test_no_incident_is_open_since_the_last_one_was_resolved() -> None:
    facts = known(monitor_moments=(NOW - HOUR_US, NOW - 9 * HOUR_US), incident_resolved_at=NOW - 5 * HOUR_US)
    assert assess_incidents(facts, NOW, _DAY_US).since == NOW - 5 * HOUR_US


@pytest.mark.parametrize(
    ("severity", "hours_ago", "expected"),
    [("critical", 1, "unknown"), ("critical", 3, "healthy"), (None, 1, "healthy")],
)
def test_a_problem_that_a_person_resolved_is_unknown_until_the_next_run(
    severity: str | None, hours_ago: int, expected: str
) -> None:
    run = replace(monitor_run(2), severity=severity)
    facts = known(monitor_run=run, incident_resolved_at=NOW - hours_ago * HOUR_US)
    assert assess_incidents(facts, NOW, _DAY_US).state == expected


def test_the_worst_incident_names_the_cause() -> None:
    worst = replace(incident(), title="m: Traffic stopped", opened_at=NOW - HOUR_US, seq=3)
    status = assess_incidents(known(incidents=(incident("warning"), worst)), NOW, _DAY_US)
    assert status.clause == "traffic stopped and 1 more incident"
    assert (status.since, status.since_source) == (NOW - HOUR_US, "recorded")


def test_production_is_degraded_since_the_cause_drifts() -> None:
    metrics = [{"label": "ROC AUC", "baseline": 0.9, "value": 0.81}, {"label": "Recall", "baseline": 1, "value": 0}]
    details = {"metrics": metrics, "causes": [{"label": "Age"}], "since": NOW - 3 * HOUR_US}
    status = assess_incidents(known(incidents=(replace(incident(), details=details),)), NOW, _DAY_US)
    assert status.clause == "ROC AUC -10% and 1 more metric, likely cause Age"
    assert status.since == NOW - 3 * HOUR_US


@pytest.mark.parametrize(
    ("run", "monitor", "incidents"),
    [
        (monitor_run(1), ("healthy", "on_time"), ("healthy", "none")),
        (monitor_run(24), ("healthy", "on_time"), ("healthy", "none")),
        (monitor_run(27), ("degraded", "late"), ("unknown", "unknown")),
        (None, ("unknown", "never_ran"), ("unknown", "unknown")),
        (monitor_run(-2), ("unknown", "clock"), ("unknown", "unknown")),
        (monitor_run(1, about=1), ("healthy", "on_time"), ("unknown", "unknown")),
        (monitor_run(1, about=None), ("healthy", "on_time"), ("unknown", "unknown")),
    ],
)
def test_the_last_run_decides(run: Any, monitor: tuple[str, str], incidents: tuple[str, str]) -> None:
    facts = known(monitor_run=run)
    about_monitor = assess_monitor(facts, NOW, _DAY_US, zone=UTC)
    about_incidents = assess_incidents(facts, NOW, _DAY_US)
    assert (about_monitor.state, about_monitor.condition) == monitor
    assert (about_incidents.state, about_incidents.condition) == incidents


@pytest.mark.parametrize("run", [None, monitor_run(1), monitor_run(100)])
def test_open_incidents_stay_open_whenever_the_monitor_ran(run: Any) -> None:
    status = assess_incidents(known(monitor_run=run, incidents=(incident(), incident("warning"))), NOW, _DAY_US)
    assert (status.state, status.summary) == ("degraded", "2")
    assert (
        "2 open incidents, 1 critical, newest: 2 of 9 features drifted. Next: run `mlops alerts show 7`" in status.text
    )


def test_a_late_run_names_its_moment_and_the_period() -> None:
    status = assess_monitor(known(monitor_run=monitor_run(3)), NOW, HOUR_US, zone=UTC)
    assert status.sentence == "Late: last run 2025-12-31 21:00:00 UTC, 3 hours ago, expected every 1 hour"


def test_nothing_is_known_without_the_database() -> None:
    assert {assess_monitor(None, NOW, 1, zone=UTC).state, assess_incidents(None, NOW, 1).state} == {"unknown"}
