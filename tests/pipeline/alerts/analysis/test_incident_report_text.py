"""The text of a report has its parts in the order of cause and effect, and leaves out parts that are empty."""

from __future__ import annotations

from dataclasses import replace

from pipeline.alerts.analysis import IncidentReport, IncidentStart, PredictionEffect, PredictionPeriod, report_lines
from tests.pipeline.alerts.analysis.report_fixtures import HOUR, OPENED, make_incident

REPORT = IncidentReport(
    make_incident(), OPENED - 72 * HOUR, OPENED + HOUR, IncidentStart(OPENED - 5 * HOUR, "drift", "age"), version=1
)


def test_causes_and_metrics_have_their_limits_and_their_start() -> None:
    assert list(report_lines(REPORT)) == [
        "Age drifts since 15 Jan 03:00 UTC; opened 2027-01-15 08:00:00 UTC, version 1",
        "",
        "Likely causes",
        "  Age: mean rose from 3 to 6, since 2027-01-15 03:00:00 UTC",
        "",
        "Effect on metrics",
        "  Log loss 0.2350 (0.2200 to 0.2500), training 0.1270, limit 0.1334",
    ]


def test_the_effect_on_predictions_is_a_change_or_what_is_lacking() -> None:
    before = PredictionPeriod(0, 1, 200, {"no": 0.75, "yes": 0.25}, 0.9)
    after = PredictionPeriod(1, 2, 200, {"no": 0.5, "yes": 0.5}, 0.8)
    few = PredictionPeriod(1, 2, 3, shortage="3 of 100 predictions needed")
    lines = list(report_lines(replace(REPORT, effect=PredictionEffect(before, after))))
    assert lines[lines.index("Effect on predictions") + 1 :][:3] == [
        "  no: 75% to 50%",
        "  yes: 25% to 50%",
        "  confidence: 90% to 80%",
    ]
    assert "  after: 3 of 100 predictions needed" in report_lines(replace(REPORT, effect=PredictionEffect(before, few)))


def test_a_start_at_the_edge_of_the_range_is_a_bound() -> None:
    start = IncidentStart(OPENED, "drift", "age", is_bound=True)
    first = next(iter(report_lines(replace(REPORT, start=start))))
    assert first.startswith("Age drifts since at least 15 Jan 08:00 UTC")
