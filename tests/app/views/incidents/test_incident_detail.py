"""The page of an incident names its causes, effects, limits and events; too few rows are no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import errors_of, tables_of, text_of
from tests.app.views.incidents.test_incident_buttons import incident_page, open_incident
from tests.pipeline.alerts.analysis.report_fixtures import CAUSE, DETAILS

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")
PART = {"column": "a", "label": "A", "value": "1", "n_outcomes": 90, "accuracy": 0.8, "low": 0.7, "high": 0.85}


def test_a_report_has_metrics_with_limits_slices_steps_and_events(incident_project: Workspace) -> None:
    cause = {**CAUSE, "column": "Time_spent_Alone", "label": "Time spent alone"}
    details = {**DETAILS, "causes": [cause], "slices": [PART], "history": []}
    number = open_incident(incident_project, title="with details", group_name="detail:a", details=details)
    at = incident_page(number).run()
    metrics, slices, events = tables_of(at)
    assert metrics.to_dict("records") == [
        {
            "Metric": "Log loss",
            "Value": "0.2350",
            "Interval": "0.2200 to 0.2500",
            "Training": "0.1270",
            "Limit": "0.1334",
            "Beyond since": "-",
        }
    ]
    assert slices["Slice"].tolist() == ["A: 1"]
    assert "Incident opened" in events["Event"].tolist()
    text = text_of(at)
    assert "Not enough data" in text
    assert f"mlops alerts ack {number}" in text
    assert errors_of(at) == []


def test_an_incident_without_details_has_no_empty_charts(incident_project: Workspace) -> None:
    number = open_incident(incident_project, title="without details", group_name="detail:b")
    text = text_of(incident_page(number).run())
    assert "without details" in text
    assert "All incidents" in text
    assert "Likely causes" not in text
