"""The parts of the loop in their order; an error of one part is a decision of its own and stops no other part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.monitoring.importance import record_importance
from pipeline.retraining.retrain_loop import advance_retrains
from pipeline.state import LoopDecision
from pipeline.trials import advance_trials

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.state import LoopContext

__all__ = ["LOOP_PARTS", "LoopPart", "run_parts"]


@dataclass(frozen=True, slots=True)
class LoopPart:
    """A part of the loop.

    Attributes
    ----------
    name : str
        Subject of its decision where it fails as a whole.
    advance : callable
        Does what is due and returns its decisions; at least one, also where nothing is due.
    """

    name: str
    advance: Callable[[LoopContext], Sequence[LoopDecision]]


# A retrain that passed becomes a trial at the next run: trials come first.
LOOP_PARTS: tuple[LoopPart, ...] = (
    LoopPart("trials", advance_trials),
    LoopPart("retraining", advance_retrains),
    LoopPart("importance", record_importance),
)


def run_parts(context: LoopContext, parts: Sequence[LoopPart]) -> tuple[LoopDecision, ...]:
    """Run the parts in their order and return all decisions."""
    if context.mode == "off":
        return (LoopDecision("loop", "none", "lifecycle.mode is off; `mode: advise` in conf/lifecycle starts it"),)
    with context.state.reading() as connection:
        champion = store.current_deployment(connection, context.model).version("Production")
        hint = store.deployment_hint(connection, context.model)
    if champion is None:
        reason = f"no version of {context.model} is in Production; {hint}"
        return (LoopDecision("loop", "none", reason),)
    return tuple(decision for part in parts for decision in _run_part(context, part))


def _run_part(context: LoopContext, part: LoopPart) -> Sequence[LoopDecision]:
    if context.should_stop():
        return [LoopDecision(part.name, "none", "the run was ended before its turn")]
    try:
        return part.advance(context)
    except MlopsError as error:
        return [LoopDecision(part.name, "fail", str(error), error=type(error).__name__)]
