"""Recommend what to do next about an incident: the commands, the most urgent first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.alerts.analysis.incident_timeline import TimelineEvent
    from pipeline.state import Incident

__all__ = ["RecommendedStep", "recommend_steps"]

_US_PER_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class RecommendedStep:
    """What to do, with its command."""

    text: str
    command: str


def recommend_steps(
    incident: Incident, timeline: Sequence[TimelineEvent], *, started_at: int
) -> tuple[RecommendedStep, ...]:
    """Return the steps about an incident that is not resolved; none about a resolved one.

    A promotion in the day before the start comes first, because a rollback is the fastest remedy.
    """
    if incident.status == "resolved":
        return ()
    details = incident.details
    steps = []
    promoted = [
        event
        for event in timeline
        if event.kind == "deployment" and started_at - _US_PER_DAY <= event.at <= started_at and "instead" in event.text
    ]
    if promoted:
        text = f"Consider a rollback: {promoted[-1].text[0].lower()}{promoted[-1].text[1:]} shortly before the start"
        steps.append(RecommendedStep(text, "mlops rollback --reason ..."))
    if incident.status == "open":
        text = "Acknowledge it, so that receivers are not notified again"
        steps.append(RecommendedStep(text, f"mlops alerts ack {incident.seq}"))
    causes = details.get("causes") or []
    if causes:
        text = f"Check the source of {causes[0]['label']}; the report compares each feature with training"
        steps.append(RecommendedStep(text, details.get("next") or "mlops monitor report"))
    elif details.get("next"):
        steps.append(RecommendedStep("Find the reason", details["next"]))
    if details.get("metrics"):
        text = "If the source is right, train on the new labels"
        steps.append(RecommendedStep(text, "mlops retrain --dry-run"))
    return tuple(steps)
