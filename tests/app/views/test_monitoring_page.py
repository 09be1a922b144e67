"""A day on which a column moved is shown in its hours; incidents are acted on by those who may."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st

from pipeline import state as store
from pipeline.errors import UsageError
from pipeline.monitoring import ModelMonitor
from tests.app.conftest import app_page, errors_of, text_of
from tests.app.drifting_day import log_drifting_day
from tests.app.views.test_predict_page import predict_by_form
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def incident(project: Workspace, **other: Any) -> int:
    now = time.time_ns() // 1000
    told = {"group_name": "drift:x", "rules": ("drift",), "severity": "warning", "title": "x <b>moved</b>"}
    made = store.Incident(
        **{**told, **other}, model=MODEL_NAME, message="up", details={}, opened_at=now, last_seen_at=now
    )
    state = store.open_state(project.root)
    try:
        with state.writing() as connection:
            return store.add_incident(connection, made)
    finally:
        state.close()


def status(project: Workspace, seq: int) -> tuple[str, str | None]:
    state = store.open_state(project.root)
    try:
        with state.reading() as connection:
            found = store.find_incident(connection, seq)
            return found.status, found.acknowledged_by
    finally:
        state.close()


def test_a_day_that_moved_names_its_column_against_training_and_the_window_before(project: Workspace) -> None:
    label = log_drifting_day(project.root)
    shown = app_page("monitoring").run()
    chosen = shown.selectbox(key="drift_column")
    assert errors_of(shown) == []
    assert chosen.options[0] == f"{label}: drift"
    shown.segmented_control(key="baseline").set_value("previous_window").run()
    shown.segmented_control(key="window").set_value(1).run()
    assert errors_of(shown) == []


def test_an_incident_is_acknowledged_with_the_name_of_the_reader(project: Workspace) -> None:
    seq = incident(project)
    shown = app_page("monitoring").run()
    assert "x \\<b\\>moved" in text_of(shown)
    shown.button(key=f"acknowledge_{seq}_confirm").click().run()
    assert (errors_of(shown), status(project, seq)) == ([], ("acknowledged", "ada"))
    shown.button(key=f"silence_{seq}_confirm").click().run()
    assert "silent" in text_of(shown)
    shown.button(key=f"resolve_{seq}_confirm").click().run()
    assert (errors_of(shown), status(project, seq)[0]) == ([], "resolved")


def test_who_may_not_act_sees_incidents_without_buttons(project: Workspace) -> None:
    seq = incident(project, group_name="drift:y", title="y moved")
    st.config.set_option("server.address", "0.0.0.0")
    shown = app_page("monitoring").run()
    assert ("y moved" in text_of(shown), list(shown.button)) == (True, [])
    assert any(" open alert" in one.value for one in app_page("overview").run().markdown)
    assert status(project, seq) == ("open", None)


def test_the_version_that_is_chosen_is_the_one_whose_answers_are_counted(project: Workspace) -> None:
    predict_by_form()
    shown = app_page("monitoring").run()
    cards = {one.label: one.value for one in shown.metric}
    monitor = ModelMonitor(MODEL_NAME, project.root, version=1)
    assert cards["Predictions"] == f"{monitor.get_monitoring_dashboard_data(24)['total_predictions']:,}"
    with pytest.raises(UsageError, match="no version 9; known: 1"):
        ModelMonitor(MODEL_NAME, project.root, version=9).get_monitoring_dashboard_data(24)
