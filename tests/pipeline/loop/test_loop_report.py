"""A run is shown with each reason; its exit code is that of the first decision which an error stopped."""

from __future__ import annotations

import pytest

from pipeline.loop import decision_line, exit_code, run_lines
from pipeline.state import LoopDecision, LoopRun

_IDLE = LoopDecision("retraining", "none", "120 of 500 labels", next_at=1_800_000_000_000_000)
_VOID = LoopDecision("trial 1", "void", "ada promoted version 3", error="Conflict")
_REFUSED = LoopDecision("retrain 2", "refuse", "not better than the recalibrated champion", error="GateRefused")


@pytest.mark.parametrize(
    ("decisions", "code"),
    [
        ((), 0),
        ((_IDLE,), 0),
        ((_IDLE, _VOID), 6),
        ((_REFUSED, _VOID), 5),
        ((LoopDecision("x", "fail", "", error="Y"),), 70),
    ],
)
def test_the_exit_code_is_that_of_the_first_error(decisions: tuple[LoopDecision, ...], code: int) -> None:
    assert exit_code(LoopRun("m", 0, "one", decisions, 0)) == code


def test_a_line_has_the_reason_and_the_moment_of_the_next_look() -> None:
    assert decision_line(_IDLE) == "retraining: nothing: 120 of 500 labels; the next look is at 2027-01-15T08:00:00Z"
    assert decision_line(_VOID) == "trial 1: void: ada promoted version 3"
    run = LoopRun("m", 0, "one", (_IDLE, _VOID), 1_800_000_000_000_000)
    assert run_lines(run)[2:] == ["next run: 2027-01-15T08:00:00Z"]
