"""Decide what a person does next, the most urgent first; each step may lead to a page of the app."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.text import pluralize, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.production_status import ModelFacts, ProductionStatus
    from pipeline.state import ModelVersion

__all__ = ["NextStep", "next_steps"]

_MAX_INCIDENTS = 3
_MAX_LENGTH = 140


@dataclass(frozen=True, slots=True)
class NextStep:
    """One step.

    Attributes
    ----------
    text : str
        What to do; text in backticks is a command.
    page : str or None
        Name of the page of the app where it is done; None for a command.
    parameters : dict
        The choices of that page.
    is_urgent : bool
        Whether production is affected.
    """

    text: str
    page: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    is_urgent: bool = False


def next_steps(
    status: ProductionStatus, known: ModelFacts, versions: Sequence[ModelVersion], *, warnings: Sequence[str]
) -> list[NextStep]:
    """Return the steps for a status; trying things is proposed only if nothing is urgent.

    Parameters
    ----------
    status : ProductionStatus
    known : ModelFacts
        What the state database knows about the model.
    versions : sequence of ModelVersion
        Oldest first.
    warnings : sequence of str
        Kinds of warnings of the last data validation.
    """
    steps = [*_urgent_steps(status, known), *_version_steps(known, versions)]
    if warnings:
        kinds = f"{pluralize(len(warnings), 'kind')} of warning ({', '.join(warnings)})"
        steps.append(NextStep(f"Review the data validation: {kinds}", "data"))
    if not any(step.is_urgent for step in steps):
        steps.append(NextStep("Try the model", "predict"))
        steps.append(NextStep("Train another model: `dvc exp run -S model=random_forest`"))
    return steps


def _urgent_steps(status: ProductionStatus, known: ModelFacts) -> Iterator[NextStep]:
    for incident in known.incidents[:_MAX_INCIDENTS]:
        verb = "Follow" if incident.status == "acknowledged" else "Look at"
        text = f"{verb} incident {incident.seq}, {incident.severity}: {shorten(incident.title, _MAX_LENGTH)}"
        yield NextStep(text, "incidents", {"incident": incident.seq}, is_urgent=True)
    n_more = len(known.incidents) - _MAX_INCIDENTS
    if n_more > 0:
        yield NextStep(f"Look at {pluralize(n_more, 'more incident')}", "incidents", is_urgent=True)
    for component in status.components:
        if component.state in ("down", "degraded") and component.name not in ("incidents", "version"):
            text = f"{component.label}: {component.next_step or component.sentence}"
            yield NextStep(text, is_urgent=True)
    if known.loop is not None:
        for waiting in known.loop.waiting:
            yield NextStep(f"Decide: {waiting.sentence}", "loop", is_urgent=True)
    for component in status.components:
        if component.state == "unknown" and component.next_step and component.name in ("monitor", "api"):
            yield NextStep(f"{component.label}: {component.next_step}")


def _version_steps(known: ModelFacts, versions: Sequence[ModelVersion]) -> Iterator[NextStep]:
    newest, production = versions[-1], known.production
    verdict = (newest.tags.get("gates") or {}).get("verdict")
    if production is None:
        yield NextStep("Promote a version: none is in Production", "models", is_urgent=True)
        return
    if known.override is not None:
        text = f"Review the gates of version {production.version}, which was promoted past them"
        yield NextStep(text, "models", {"version": production.version}, is_urgent=True)
    if newest.version == production.version:
        return
    if newest.stage == "Staging":
        parameters = {"first": production.version, "second": newest.version}
        yield NextStep(f"Compare version {newest.version}, which is in Staging, and promote it", "compare", parameters)
    elif verdict not in (None, "promote") and newest.stage == "None":
        text = f"See why version {newest.version} failed its gates"
        yield NextStep(text, "models", {"version": newest.version})
