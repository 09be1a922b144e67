"""The monitor is late after its period, and zero alerts of a monitor that did not look are unknown."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from pipeline.production_status.monitor_assessment import assess_alerts, assess_monitor
from tests.pipeline.production_status.status_scenarios import HOUR_US, NOW, incident, known, monitor_run

_DAY_US = 24 * HOUR_US


@pytest.mark.parametrize(
    ("run", "monitor", "alerts"),
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
def test_the_last_run_decides(run: Any, monitor: tuple[str, str], alerts: tuple[str, str]) -> None:
    facts = known(monitor_run=run)
    about_monitor = assess_monitor(facts, NOW, _DAY_US, zone=UTC)
    about_alerts = assess_alerts(facts, NOW, _DAY_US)
    assert (about_monitor.state, about_monitor.condition) == monitor
    assert (about_alerts.state, about_alerts.condition) == alerts


@pytest.mark.parametrize("run", [None, monitor_run(1), monitor_run(100)])
def test_open_alerts_stay_open_whenever_the_monitor_ran(run: Any) -> None:
    status = assess_alerts(known(monitor_run=run, incidents=(incident(), incident("warning"))), NOW, _DAY_US)
    assert (status.state, status.summary) == ("degraded", "2")
    assert "2 open alerts, 1 critical, newest: 2 of 9 features drifted. Next: run `mlops alerts list`" in status.text


def test_a_late_run_names_its_moment_and_the_period() -> None:
    status = assess_monitor(known(monitor_run=monitor_run(3)), NOW, HOUR_US, zone=UTC)
    assert status.sentence == "Late: last run 2025-12-31 21:00:00 UTC, 3 hours ago, expected every 1 hour"


def test_nothing_is_known_without_the_database() -> None:
    assert {assess_monitor(None, NOW, 1, zone=UTC).state, assess_alerts(None, NOW, 1).state} == {"unknown"}
