"""The table of conditions that alert rules name: what each checks, and which command to run when it fires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.lookup import LookupTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.alerts.rule_inputs import RuleInputs

    Evaluate = Callable[["RuleInputs", float], "ConditionResult"]

__all__ = ["CONDITIONS", "Condition", "ConditionResult", "condition"]


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """Whether a condition holds (None: it could not be evaluated), in one clause, with its value.

    `next_command` replaces that of the condition, where the finding knows a better one.
    """

    is_firing: bool | None
    summary: str
    value: float | None = None
    next_command: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a condition is evaluated, given its threshold, and the command to run when it fires."""

    evaluate: Evaluate
    next_command: str


CONDITIONS: LookupTable[Condition] = LookupTable("alerts.rules.condition")


def condition(name: str, command: str) -> Callable[[Evaluate], Evaluate]:
    """Return a decorator that adds a function to the table."""

    def register(evaluate: Evaluate) -> Evaluate:
        CONDITIONS.add(name)(Condition(evaluate, command))
        return evaluate

    return register
