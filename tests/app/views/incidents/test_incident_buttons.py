"""Operators act on an incident on its page; other users only see it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from tests.app.conftest import app_page, errors_of, log_in, text_of
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def open_incident(project: Workspace, **other: Any) -> int:
    now = time.time_ns() // 1000
    fields = {
        "group_name": "drift:x", "rules": ("drift",), "severity": "warning", "title": "x <b>drifted</b>",
        "opened_at": now, "details": {},
    }  # fmt: skip
    incident = store.Incident(**{**fields, **other}, model=MODEL_NAME, message="up", last_seen_at=now)
    state = store.open_state(project.root)
    try:
        with state.writing() as connection:
            return store.add_incident(connection, incident)
    finally:
        state.close()


def incident_page(seq: int) -> AppTest:
    at = app_page("incidents")
    at.query_params["incident"] = str(seq)
    return at


def status(project: Workspace, seq: int) -> tuple[str, str | None]:
    state = store.open_state(project.root)
    try:
        with state.reading() as connection:
            incident = store.find_incident(connection, seq)
            return incident.status, incident.acknowledged_by
    finally:
        state.close()


def confirm(at: AppTest, key: str, reason: str = "") -> None:
    at.text_input(key=f"{key}_reason").set_value(reason)
    at.button(key=f"{key}_confirm").click().run()


def test_each_action_is_recorded_with_the_user_and_its_reason(incident_project: Workspace) -> None:
    seq = open_incident(incident_project)
    at = incident_page(seq).run()
    assert "x \\<b\\>drifted" in text_of(at)
    at.button(key=f"acknowledge_{seq}_confirm").click().run()
    assert (errors_of(at), status(incident_project, seq)) == ([], ("acknowledged", "ada"))
    confirm(at, f"silence_{seq}")
    assert any("Enter a reason" in error for error in errors_of(at))
    confirm(at, f"silence_{seq}", "deployment")
    assert [toast.value[:15] for toast in at.toast] == ["Silenced until "]
    assert "silenced until" in text_of(at)
    confirm(at, f"resolve_{seq}", " ")
    assert (any("Enter a reason" in error for error in errors_of(at)), status(incident_project, seq)[0]) == (
        True,
        "acknowledged",
    )
    confirm(at, f"resolve_{seq}", "fixed at its source")
    assert (errors_of(at), [toast.value for toast in at.toast]) == ([], ["Resolved"])
    assert "fixed at its source" in text_of(at)


def test_without_the_role_operator_an_incident_has_no_buttons(incident_project: Workspace) -> None:
    seq = open_incident(incident_project, group_name="drift:y", title="y drifted")
    at = incident_page(seq)
    log_in(at, roles=["viewer"])
    at.run()
    assert ("y drifted" in text_of(at), list(at.button)) == (True, [])
    assert any(" open incident" in element.value for element in app_page("overview").run().markdown)
    assert status(incident_project, seq) == ("open", None)
