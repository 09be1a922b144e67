"""The loop is late after the moment that its last run announced; a project may do without it."""

from __future__ import annotations

from datetime import UTC

import pytest

from pipeline.production_status.loop_assessment import assess_loop
from pipeline.state import Lease, LoopDecision, LoopFacts, LoopRun
from tests.pipeline.production_status.status_scenarios import HOUR_US, NOW, known
from tests.pipeline.state.loop_records import make_retrain, make_trial

_FAILED = LoopDecision("trials", "fail", "the disk is full", error="DependencyUnavailable")
_REFUSED = LoopDecision("labels", "hold", "one caller sent most", error="GateRefused")
_TRIALS = (make_trial(seq=4),)


def _run(hours_ago: float, *decisions: LoopDecision) -> LoopRun:
    at = NOW - int(hours_ago * HOUR_US)
    return LoopRun("m", at, "one", decisions, at + HOUR_US, seq=9)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (LoopFacts(_run(0.5)), ("healthy", "on_time", "")),
        (LoopFacts(_run(1.11)), ("healthy", "on_time", "")),
        (LoopFacts(_run(1.2)), ("degraded", "late", "run `mlops loop`, or schedule `mlops loop --once`")),
        (LoopFacts(_run(9), lease=Lease("loop m", "one", NOW + 1)), ("healthy", "running", "")),
        (LoopFacts(_run(9), lease=Lease("loop m", "one", NOW)), ("degraded", "late", None)),
        (LoopFacts(_run(0.5, _FAILED)), ("degraded", "failed", "run `mlops loop show 9`")),
        (LoopFacts(_run(0.5, _REFUSED)), ("healthy", "on_time", "")),
        (
            LoopFacts(_run(0.5), retrains=(make_retrain(seq=3),)),
            ("healthy", "waiting", "run `mlops retrain approve 3`"),
        ),
        (LoopFacts(open_trials=_TRIALS), ("degraded", "never_ran", None)),
    ],
)
def test_the_last_run_and_the_lease_decide(facts: LoopFacts, expected: tuple[str, str, str | None]) -> None:
    status = assess_loop(known(loop=facts), NOW, zone=UTC)
    assert status is not None
    state, condition, next_step = expected
    assert (status.state, status.condition) == (state, condition)
    assert next_step in (None, status.next_step)


def test_a_loop_that_never_ran_and_has_no_work_is_left_out() -> None:
    ended = make_retrain(state="refused")
    assert assess_loop(known(loop=LoopFacts(retrains=(ended,))), NOW, zone=UTC) is None
    assert assess_loop(known(loop=None), NOW, zone=UTC) is None
    assert assess_loop(None, NOW, zone=UTC) is None


def test_the_sentence_names_the_last_run_and_the_open_work() -> None:
    status = assess_loop(known(loop=LoopFacts(_run(2), _TRIALS)), NOW, zone=UTC)
    assert status is not None
    assert status.sentence == (
        "Late: last run 2025-12-31 22:00:00 UTC, 2 hours ago, expected by 2025-12-31 23:00:00 UTC"
    )
    status = assess_loop(known(loop=LoopFacts(_run(0.5), _TRIALS)), NOW, zone=UTC)
    assert status is not None
    assert status.sentence.endswith("30 minutes ago; 1 open trial, 0 open retrains")
