"""The next step of a trial follows from its verdict, its traffic and the declared canary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.state import HOUR_US, Trial
from pipeline.trials.trial_plan import PlannedStep, TrialTraffic, plan_step
from pipeline.trials.trial_verdict import TrialVerdict
from tests.fixtures.toy_dataset import settings
from tests.pipeline.state.loop_records import make_trial

COMPARING = make_trial(settings=settings().lifecycle.model_dump(mode="json", include={"trial", "canary"}), seq=1)
FIRST = replace(COMPARING, state="canary", step=1, share=0.05)
LAST = replace(COMPARING, state="canary", step=2, share=0.25)
WATCH = replace(COMPARING, purpose="watch")
SPLIT = replace(COMPARING, method="split", state="split", step=1, share=0.2)
NO_CANARY = replace(COMPARING, settings={**COMPARING.settings, "canary": {**COMPARING.settings["canary"], "steps": []}})


def _verdict(verdict: Any) -> TrialVerdict:
    return TrialVerdict(
        verdict=verdict,
        metric="log_loss",
        gain=0.01,
        lower=0.005,
        upper=0.015,
        alpha=0.05,
        n_challengers=1,
        n_outcomes=600,
        n_units=60,
        n_more_outcomes=100,
        disagreement=0.0,
        needs_person=False,
        until_outcome=600,
        compared_at=0,
    )


def _plan(trial: Trial, verdict: str, *, hours: float = 1, **traffic: Any) -> PlannedStep:
    return plan_step(trial, _verdict(verdict), TrialTraffic(**traffic), now=round(hours * HOUR_US))


@pytest.mark.parametrize(
    ("trial", "verdict", "action", "end"),
    [
        (COMPARING, "open", "wait", None),
        (COMPARING, "won", "canary", None),
        (NO_CANARY, "won", "promote", None),
        (WATCH, "won", "roll back", None),
        (COMPARING, "lost", "end", "lost"),
        (COMPARING, "undecided", "end", "undecided"),
        (WATCH, "undecided", "end", "undecided"),
        (FIRST, "lost", "end", "harmful"),
        (SPLIT, "open", "wait", None),
        (SPLIT, "won", "promote", None),
        (SPLIT, "lost", "end", "harmful"),
        (SPLIT, "undecided", "end", "undecided"),
        (FIRST, "undecided", "end", "undecided"),
    ],
)
def test_the_verdict_decides_the_step(trial: Trial, verdict: str, action: str, end: str | None) -> None:
    step = _plan(trial, verdict)
    assert (step.action, step.end) == (action, end)


def test_a_won_trial_waits_for_another_that_takes_traffic() -> None:
    step = _plan(COMPARING, "won", busy_trial=7)
    assert (step.action, "trial 7 takes traffic" in step.reason) == ("wait", True)


@pytest.mark.parametrize(
    ("trial", "hours", "n_predictions", "expected"),
    [
        (FIRST, 0.5, 500, ("wait", 0)),
        (FIRST, 1, 199, ("wait", 0)),
        (FIRST, 1, 200, ("canary", 2)),
        (LAST, 3, 5_000, ("wait", 0)),
        (LAST, 4, 1_000, ("promote", 0)),
    ],
)
def test_a_canary_step_needs_its_hours_and_its_predictions(
    trial: Trial, hours: float, n_predictions: int, expected: tuple[str, int]
) -> None:
    step = _plan(trial, "won", hours=hours, n_predictions=n_predictions)
    assert (step.action, step.step) == expected


def test_a_canary_with_too_few_predictions_is_paused_and_neither_stopped_nor_continued() -> None:
    step = _plan(FIRST, "won", hours=25, n_predictions=10)
    assert (step.action, step.end) == ("wait", None)
    assert "paused: 10 predictions in 1 day" in step.reason


@pytest.mark.parametrize(
    ("traffic", "end"),
    [
        ({"stop_reason": "the challenger failed"}, "harmful"),
        ({"refusal": "server a cannot load it"}, "aborted"),
        ({"person_stop": "ada stopped it", "stop_reason": "ada stopped it"}, "aborted"),
        ({"stop_reason": "the challenger failed", "refusal": "server a cannot load it"}, "harmful"),
    ],
)
def test_a_stop_of_the_servers_ends_a_canary_that_would_be_promoted(traffic: dict[str, str], end: str) -> None:
    steps = [_plan(trial, "won", hours=9, n_predictions=5_000, **traffic) for trial in (LAST, SPLIT)]
    assert {(step.action, step.end, step.reason) for step in steps} == {("end", end, next(iter(traffic.values())))}


def test_only_first_requests_and_changes_of_production_need_approval() -> None:
    canary = [_plan(COMPARING, "won"), _plan(FIRST, "won", n_predictions=200)]
    assert [step.needs_approval for step in canary] == [True, False]
    assert _plan(WATCH, "won").needs_approval
    assert not _plan(FIRST, "lost").needs_approval
