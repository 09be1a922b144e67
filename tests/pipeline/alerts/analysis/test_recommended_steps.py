"""A promotion shortly before the start is the first suspect; a resolved incident needs nothing."""

from __future__ import annotations

import pytest

from pipeline.alerts.analysis.incident_timeline import TimelineEvent
from pipeline.alerts.analysis.recommended_steps import recommend_steps
from tests.pipeline.alerts.analysis.report_fixtures import HOUR, OPENED, make_incident

PROMOTION = "Version 2 in Production instead of version 1"


@pytest.mark.parametrize(
    ("hours_before", "text", "command"),
    [
        (3, PROMOTION, "mlops rollback --reason ..."),
        (30, PROMOTION, "mlops alerts ack 3"),
        (-1, PROMOTION, "mlops alerts ack 3"),
        (3, "Version 1 in Production", "mlops alerts ack 3"),
    ],
)
def test_a_rollback_is_recommended_after_a_promotion_in_the_day_before(
    hours_before: int, text: str, command: str
) -> None:
    timeline = [TimelineEvent(OPENED - hours_before * HOUR, "deployment", text, version=2)]
    assert recommend_steps(make_incident(), timeline, started_at=OPENED)[0].command == command


def test_the_commands_follow_from_the_state_and_the_findings() -> None:
    acknowledged = make_incident(status="acknowledged")
    steps = recommend_steps(acknowledged, (), started_at=OPENED)
    assert [step.command for step in steps] == ["mlops monitor report", "mlops retrain --dry-run"]
    assert recommend_steps(make_incident(status="resolved"), (), started_at=OPENED) == ()
