"""Open incidents are in the order of their severity; a past one has the entry of the person who resolved it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from app.page_queries import incident_queries
from pipeline import alerts
from pipeline import state as store
from tests.app.views.incidents.test_incident_buttons import open_incident
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_incidents_are_ordered_and_have_their_resolution(incident_project: Workspace) -> None:
    numbers = [
        open_incident(incident_project, group_name=f"query:{severity}", severity=severity)
        for severity in ("critical", "info")
    ]
    order = [incident.seq for incident in incident_queries.open_incidents(MODEL_NAME) if incident.seq in numbers]
    assert order == numbers
    state = store.open_state(incident_project.root)
    alerts.resolve_incident(state, numbers[0], actor=alerts.Actor("ada"), reason="fixed")
    state.close()
    past = incident_queries.past_incidents(MODEL_NAME, since=0, until=time.time_ns())
    (found,) = [each for each in past if each.incident.seq == numbers[0]]
    assert found.resolution is not None
    assert found.resolution.reason == "fixed"
