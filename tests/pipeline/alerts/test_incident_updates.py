"""Whether an incident is notified again depends on the time since, and not on a clock that was ahead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.alerts.alert_rules import RuleResult
from pipeline.alerts.incident_updates import update_incidents
from pipeline.schema import FeatureLabels
from tests.pipeline.alerts.test_delivery import settings

if TYPE_CHECKING:
    from pathlib import Path

NOW, MINUTE, DAY = 1_700_000_000_000_000, 60_000_000, 86_400_000_000
REPORT = {
    "drift": {"window": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}},
    "dashboard": {"total_predictions": 0},
}
RULE = RuleResult("quiet", "no_predictions", "traffic", "warning", is_firing=True, summary="no predictions")


@pytest.mark.parametrize(
    ("since_notification", "is_notified"),
    [(0, False), (MINUTE, False), (11 * MINUTE, True), (-MINUTE, True), (-3650 * DAY, True)],
)
def test_a_notification_from_a_clock_that_was_ahead_silences_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, since_notification: int, is_notified: bool
) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    state, config = store.open_state(tmp_path), settings().model_copy(update={"cooldown_minutes": 10})
    with state.writing() as connection:
        for at in (NOW, NOW + since_notification):
            incidents = update_incidents(connection, config, "m", [RULE], REPORT, at=at, labels=FeatureLabels())
    assert (incidents[-1].notified_at, incidents[-1].n_occurrences) == (NOW + since_notification * is_notified, 2)
    state.close()


def test_the_history_has_each_change_of_severity_and_status_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    state, config = store.open_state(tmp_path), settings().model_copy(update={"cooldown_minutes": 10})
    calm, louder = replace(RULE, is_firing=False), replace(RULE, severity="critical")
    with state.writing() as connection:
        for minute, rule in enumerate((RULE, RULE, louder, louder, calm, RULE)):
            (incident,) = update_incidents(
                connection, config, "m", [rule], REPORT, at=NOW + minute * MINUTE, labels=FeatureLabels()
            )
    changes = [
        ((entry["at"] - NOW) // MINUTE, entry["event"], entry["severity"]) for entry in incident.details["history"]
    ]
    assert changes == [
        (0, "opened", "warning"),
        (2, "escalated", "critical"),
        (4, "resolved", "critical"),
        (5, "reopened", "warning"),
    ]
    state.close()
