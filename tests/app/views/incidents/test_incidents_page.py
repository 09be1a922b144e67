"""The page lists open and past incidents and silences; the address selects one incident."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pipeline import alerts
from pipeline import state as store
from tests.app.conftest import app_page, errors_of, tables_of, text_of
from tests.app.views.incidents.test_incident_buttons import confirm, open_incident
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_incidents_stay_visible_with_their_end_and_a_silence_can_be_ended(incident_project: Workspace) -> None:
    number = open_incident(incident_project, title="resolved one", group_name="list:a")
    open_incident(incident_project, title="open one", group_name="list:b", severity="critical")
    state, ada = store.open_state(incident_project.root), alerts.Actor("ada")
    alerts.resolve_incident(state, number, actor=ada, reason="sensor replaced")
    silence = alerts.create_silence(state, MODEL_NAME, minutes=60, actor=ada, incident="list:b", reason="deployment")
    state.close()
    at = app_page("incidents").run()
    opened, past = tables_of(at)
    (row,) = opened[opened["Incident"] == "open one"].to_dict("records")
    assert (row["Severity"], row["Status"].split(" until ")[0]) == ("critical", "open, silenced")
    (row,) = past[past["Incident"] == "resolved one"].to_dict("records")
    assert row["Resolved"].endswith(", by ada: sensor replaced")
    assert f"Silence {silence.seq}" in text_of(at)
    confirm(at, f"end_{silence.seq}", "done")
    assert (errors_of(at), f"Silence {silence.seq}" in text_of(at)) == ([], False)


def test_status_and_time_range_filter_the_list(incident_project: Workspace) -> None:
    day = 86_400_000_000
    long_ago = time.time_ns() // 1000 - 90 * day
    open_incident(
        incident_project, title="old one", group_name="list:c", opened_at=long_ago, status="resolved",
        resolved_at=long_ago + day, resolved_by="monitor",
    )  # fmt: skip
    at = app_page("incidents")
    at.query_params["status"] = "past"
    at.run()
    assert (errors_of(at), "old one" in text_of(at), "Open" in [each.value for each in at.subheader]) == (
        [], False, False,
    )  # fmt: skip
    at.segmented_control(key="incidents_range").set_value("all").run()
    (row,) = tables_of(at)[0][lambda past: past["Incident"] == "old one"].to_dict("records")
    assert (row["Duration"], row["Resolved"].endswith(", no rule fires")) == ("1 day", True)


@pytest.mark.parametrize("number", ["987654", "²"])
def test_an_unknown_number_is_refused_with_the_next_step(incident_project: Workspace, number: str) -> None:
    at = app_page("incidents")
    at.query_params["incident"] = number
    at.run()
    assert ["Invalid request" in error for error in errors_of(at)] == [True]
