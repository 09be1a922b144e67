"""The timeline joins changes of the incident, actions, messages, deployments, trials and retrains by time."""

from __future__ import annotations

from pipeline.alerts.analysis.incident_timeline import IncidentRecords, incident_timeline
from pipeline.state import Delivery
from tests.pipeline.alerts.analysis.report_fixtures import HOUR, OPENED, make_entry, make_incident


def production(version: int) -> dict[str, dict[str, object]]:
    return {"Production": {"version": version, "digest": "d"}}


TRIAL = {"seq": 4, "challenger": 3, "champion": 2, "share": 0.1, "state": "canary"}
RETRAIN = {"seq": 5, "cause": "degradation", "state": "on_trial", "version": 3}
ENTRIES = [
    make_entry(OPENED - HOUR, "promote", generation=2, before=production(1), after=production(2), reason="better"),
    make_entry(OPENED + 2 * HOUR, "acknowledge alert", after={"incident": 3}, reason="on it"),
    make_entry(OPENED + 3 * HOUR, "acknowledge alert", after={"incident": 4}),
    make_entry(OPENED + 4 * HOUR, "silence alerts", after={"group_name": None, "until": 0}),
    make_entry(OPENED + 5 * HOUR, "silence alerts", after={"group_name": "service", "until": 0}),
    make_entry(OPENED + 6 * HOUR, "trial canary", generation=3, before=production(2), after=production(2),
               evidence={"trial": TRIAL}),
    make_entry(OPENED + 7 * HOUR, "retrain", evidence={"retrain": RETRAIN}),
]  # fmt: skip


def delivery(receiver: str, done_at: int | None) -> Delivery:
    return Delivery(
        1, 3, receiver, "k", {"event": "opened"}, created_at=OPENED + HOUR, due_at=0, attempts=2,
        error=None if done_at else "refused", done_at=done_at,
    )  # fmt: skip


def test_events_are_in_the_order_of_time_and_only_about_this_incident() -> None:
    records = IncidentRecords(make_incident(), ENTRIES, [delivery("log", 1), delivery("chat", None)])
    events = incident_timeline(records, since=OPENED - 2 * HOUR, until=OPENED + 9 * HOUR)
    assert [((event.at - OPENED) // HOUR, event.text) for event in events] == [
        (-1, "Version 2 in Production instead of version 1"),
        (0, "Incident opened"),
        (1, "Notification (opened) sent to log; not delivered to chat after 2 attempts"),
        (2, "Acknowledged"),
        (4, "Silenced"),
        (6, "Trial 4 (version 3 against version 2): canary, 10% of the requests"),
        (7, "Retrain 5 (degradation): on trial"),
    ]
    assert [event.mark for event in events if event.mark] == ["version 2", "version 3, 10%"]


def test_an_incident_without_a_history_still_has_its_opening() -> None:
    (event,) = incident_timeline(IncidentRecords(make_incident(details={})), since=0, until=OPENED)
    assert (event.at, event.text) == (OPENED, "Incident opened")
