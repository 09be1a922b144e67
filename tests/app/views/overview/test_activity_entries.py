"""Recent activity has decisions and incidents as sentences, newest first, each with the page of its thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.views.overview.activity_entries import recent_activities
from pipeline.state import AuditEntry
from tests.pipeline.production_status.status_scenarios import NOW, incident


def _entry(action: str, at: int, **changes: Any) -> AuditEntry:
    entry = AuditEntry(1, at, "ada", action, "m", 2, 1, {}, {}, "", {}, "")
    return replace(entry, **changes)


def test_a_promotion_names_stage_and_reason_and_links_to_the_version() -> None:
    entry = _entry("force", NOW, after={"Production": {"version": 2}}, reason="the first")
    (activity,) = recent_activities([entry], [], limit=5)
    assert activity.text == "ada promoted version 2 to Production, overriding failed gates: the first"
    assert (activity.page, activity.parameters) == ("models", {"version": 2})


def test_an_incident_opens_and_ends_and_a_person_acknowledges_it() -> None:
    resolved = replace(incident(), opened_at=NOW, resolved_at=NOW + 9, resolved_by="monitor", status="resolved")
    entry = _entry("acknowledge alert", NOW + 5, version=None, after={"incident": 7})
    activities = recent_activities([entry], [resolved], limit=5)
    assert [activity.text for activity in activities] == [
        "Incident 7 was resolved by the monitor",
        "ada acknowledged incident 7",
        "Incident 7 opened, critical: 2 of 9 features drifted",
    ]
    assert {activity.link_label for activity in activities} == {"Incident 7"}
    assert len(recent_activities([entry], [resolved], limit=2)) == 2
