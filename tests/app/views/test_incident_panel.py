"""Operators act on incidents; other users only see them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from tests.app.conftest import app_page, errors_of, log_in, text_of
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def open_incident(project: Workspace, **other: Any) -> int:
    now = time.time_ns() // 1000
    fields = {"group_name": "drift:x", "rules": ("drift",), "severity": "warning", "title": "x <b>drifted</b>"}
    incident = store.Incident(
        **{**fields, **other}, model=MODEL_NAME, message="up", details={}, opened_at=now, last_seen_at=now
    )
    state = store.open_state(project.root)
    try:
        with state.writing() as connection:
            return store.add_incident(connection, incident)
    finally:
        state.close()


def status(project: Workspace, seq: int) -> tuple[str, str | None]:
    state = store.open_state(project.root)
    try:
        with state.reading() as connection:
            incident = store.find_incident(connection, seq)
            return incident.status, incident.acknowledged_by
    finally:
        state.close()


def test_an_incident_is_acknowledged_with_the_name_of_the_user(project: Workspace) -> None:
    seq = open_incident(project)
    at = app_page("monitoring").run()
    assert "x \\<b\\>drifted" in text_of(at)
    at.button(key=f"acknowledge_{seq}_confirm").click().run()
    assert (errors_of(at), status(project, seq)) == ([], ("acknowledged", "ada"))
    at.button(key=f"silence_{seq}_confirm").click().run()
    assert "silenced" in text_of(at)
    at.button(key=f"resolve_{seq}_confirm").click().run()
    assert (any("Enter a reason" in error for error in errors_of(at)), status(project, seq)[0]) == (
        True,
        "acknowledged",
    )
    at.text_input(key=f"resolve_{seq}_reason").set_value("fixed at its source")
    at.button(key=f"resolve_{seq}_confirm").click().run()
    assert [toast.value for toast in at.toast] == [r"Resolved\: x \<b\>drifted\</b\>"]
    assert (errors_of(at), status(project, seq)[0]) == ([], "resolved")


def test_without_the_role_operator_incidents_have_no_buttons(project: Workspace) -> None:
    seq = open_incident(project, group_name="drift:y", title="y drifted")
    at = app_page("monitoring")
    log_in(at, roles=["viewer"])
    at.run()
    assert ("y drifted" in text_of(at), list(at.button)) == (True, [])
    assert any(" open incident" in element.value for element in app_page("overview").run().markdown)
    assert status(project, seq) == ("open", None)
