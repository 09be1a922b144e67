"""What people do about incidents is one transaction with its audit entry, and needs the role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import alerts
from pipeline import state as store
from pipeline.errors import NotAllowed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ADA = alerts.Actor("ada")
VIEWER = alerts.Actor("eve", frozenset({"viewer"}))
ACTIONS: dict[str, Callable[[store.State, alerts.Actor], object]] = {
    "acknowledge": lambda state, actor: alerts.acknowledge_incident(state, 1, actor=actor),
    "resolve": lambda state, actor: alerts.resolve_incident(state, 1, actor=actor),
    "silence": lambda state, actor: alerts.create_silence(state, "m", minutes=5, actor=actor),
    "unsilence": lambda state, actor: alerts.expire_silence(state, 1, actor=actor),
}


def add_incident(state: store.State, group: str = "quality", **overrides: object) -> int:
    values = {
        "severity": "warning",
        "title": "two columns drifted",
        "message": "in words",
        "details": {"n": 1},
        **overrides,
    }
    with state.writing() as connection:
        made = store.Incident(group, "m", ("drift",), **values, opened_at=1, last_seen_at=1)  # type: ignore[arg-type]
        return store.add_incident(connection, made)


def test_the_audit_trail_records_who_acknowledged_and_resolved(state: store.State) -> None:
    number = add_incident(state)
    (seen,) = alerts.list_incidents(state, "m")
    acknowledged = alerts.acknowledge_incident(state, number, actor=ADA, reason="I look")
    resolved = alerts.resolve_incident(state, number, actor=alerts.Actor("bob", frozenset({"admin"})))
    assert (seen.rules, seen.details, seen.status) == (("drift",), {"n": 1}, "open")
    assert (acknowledged.status, acknowledged.acknowledged_by) == ("acknowledged", "ada")
    assert (resolved.status, resolved.resolved_by, alerts.list_incidents(state)) == ("resolved", "bob", [])
    assert [one.status for one in alerts.list_incidents(state, include_resolved=True)] == ["resolved"]
    with state.reading() as connection:
        audit_entries = [(entry.actor, entry.action, entry.reason) for entry in store.read_audit_entries(connection)]
        assert store.verify_audit_chain(connection) == []
    assert audit_entries == [("ada", "acknowledge alert", "I look"), ("bob", "resolve alert", "")]


def test_notified_receivers_are_notified_of_the_resolution(state: store.State) -> None:
    number = add_incident(state)
    with state.writing() as connection:
        store.add_delivery(connection, number, "pager", "k", {"event": "opened"}, at=1)
        store.add_delivery(connection, number + 1, "mail", "other", {"event": "opened"}, at=1)
    alerts.resolve_incident(state, number, actor=ADA)
    alerts.resolve_incident(state, number, actor=ADA)
    with state.reading() as connection:
        (resolution,) = [one for one in store.read_deliveries(connection) if one.payload["event"] == "resolved"]
    assert (resolution.receiver, resolution.incident_seq, resolution.payload["status"]) == ("pager", number, "resolved")


def test_a_silence_expires_or_is_ended(state: store.State) -> None:
    made = alerts.create_silence(state, "m", minutes=1, incident="quality", actor=ADA, reason="deployment")
    assert made.until - made.created_at == 60_000_000
    assert (made.covers("quality", made.created_at), made.covers("service", made.created_at)) == (True, False)
    assert made.covers("quality", made.until) is False
    assert alerts.active_silences(state, "m") == [made]
    alerts.expire_silence(state, made.seq, actor=ADA)
    assert alerts.active_silences(state) == []
    with pytest.raises(UsageError, match="silence 1 is not active"):
        alerts.expire_silence(state, made.seq, actor=ADA)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[store.State]:
    """A database in a file, for what does not depend on the kind of database."""
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    opened = store.open_state(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize("act", ACTIONS)
def test_a_viewer_cannot_change_incidents(act: str, file: store.State) -> None:
    add_incident(file)
    with pytest.raises(NotAllowed, match=r"eve: to .* needs the role operator"):
        ACTIONS[act](file, VIEWER)
    assert [one.status for one in alerts.list_incidents(file)] == ["open"]
    with file.reading() as connection:
        assert store.read_audit_entries(connection) == []


@pytest.mark.parametrize("minutes", [0, 0.5, 90 * 24 * 60 + 1, float("nan")])
def test_a_silence_has_an_end_within_90_days(minutes: float, file: store.State) -> None:
    with pytest.raises(UsageError, match="expected 1 minute to 90 days"):
        alerts.create_silence(file, "m", minutes=minutes, actor=ADA)


def test_a_resolved_incident_is_not_acknowledged(file: store.State) -> None:
    number = add_incident(file)
    alerts.resolve_incident(file, number, actor=ADA)
    with pytest.raises(UsageError, match="is already resolved"):
        alerts.acknowledge_incident(file, number, actor=ADA)
    with pytest.raises(UsageError, match="no incident has the number 7"):
        alerts.acknowledge_incident(file, 7, actor=ADA)
