"""The value of a cause whose share rose most leads to the predictions that have it."""

from __future__ import annotations

import pytest

from app.views.incidents.incident_charts import risen_value
from pipeline.alerts.analysis import IncidentReport, IncidentStart
from pipeline.monitoring import DriftFinding, DriftLine, DriftPoint
from tests.pipeline.alerts.analysis.report_fixtures import OPENED, make_incident


def report(*shares: tuple[str, float, float]) -> IncidentReport:
    finding = DriftFinding("age", "feature", "drift", shares=shares)
    line = DriftLine("age", "feature", (DriftPoint(0, 1, 500, finding),))
    filters = {"age": {"11": ("age=11",), "missing": ("age is missing",), "above": ("age>11",), "unseen": ()}}
    return IncidentReport(make_incident(), 0, 1, IncidentStart(OPENED, "opened"), filters=filters, drift=(line,))


@pytest.mark.parametrize(
    ("shares", "found"),
    [
        ([("8", 0.5, 0.2), ("11", 0.5, 0.8)], ("Age: 11", ("age=11",))),
        ([("8", 0.5, 0.5), ("11", 0.5, 0.5)], None),
        ([("8", 0.9, 0.2), ("below", 0.0, 0.0), ("above", 0.0, 0.0), ("missing", 0.1, 0.8)],
         ("Age: missing", ("age is missing",))),
        ([("8", 0.9, 0.2), ("below", 0, 0), ("above", 0, 0), ("unseen", 0.1, 0.8), ("missing", 0, 0)], None),
        ([], None),
    ],
)  # fmt: skip
def test_a_value_with_filters_leads_to_its_predictions(
    shares: list[tuple[str, float, float]], found: tuple[str, tuple[str, ...]] | None
) -> None:
    assert risen_value(report(*shares)) == found
