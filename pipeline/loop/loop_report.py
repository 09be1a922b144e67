"""Show a run of the loop: a line for each decision, and the exit code that fits them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipeline import errors
from pipeline.text import iso_timestamp, visible_line

if TYPE_CHECKING:
    from pipeline.state import LoopDecision, LoopRun

__all__ = ["decision_line", "exit_code", "print_loop_run", "run_lines"]


def exit_code(run: LoopRun) -> int:
    """Return the code of the first decision that an error stopped; 0 also where nothing was due."""
    for decision in run.decisions:
        if decision.error:
            error = getattr(errors, decision.error, errors.MlopsError)
            return int(error.exit_code)
    return 0


def decision_line(decision: LoopDecision) -> str:
    """Return the subject, what was done, why, and when the next look is."""
    action = decision.action if decision.is_action else "nothing"
    later = "" if decision.next_at is None else f"; the next look is at {iso_timestamp(decision.next_at)}"
    return visible_line(f"{decision.subject}: {action}: {decision.reason}{later}")


def run_lines(run: LoopRun) -> list[str]:
    """Return a line for each decision, and one with the moment of the next run."""
    return [*map(decision_line, run.decisions), f"next run: {iso_timestamp(run.next_at)}"]


def print_loop_run(run: LoopRun) -> None:
    """Print a run."""
    sys.stdout.write("".join(f"[loop] {line}\n" for line in run_lines(run)))
    sys.stdout.flush()
