"""Assess the loop: whether it runs when its own last run announced the next, and what waits for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.production_status.component_status import ComponentStatus
from pipeline.text import format_age, pluralize, timestamp

if TYPE_CHECKING:
    from datetime import tzinfo

    from pipeline.production_status.state_facts import ModelFacts
    from pipeline.state import LoopFacts, LoopRun

__all__ = ["assess_loop", "is_loop_late"]

_RUN_LOOP = "run `mlops loop`, or schedule `mlops loop --once`"
# A run takes some time, such as that of a retrain, and its moment is that of its start.
_GRACE_SHARE = 0.1
_GRACE_US = 60_000_000
# A guard refused, or a person decided meanwhile: the loop did its work.
_REFUSALS = ("GateRefused", "Conflict")


def assess_loop(known: ModelFacts | None, now: int, *, zone: tzinfo) -> ComponentStatus | None:
    """Return the status of the loop; None where it never ran and nothing is open: a project may do without it."""
    facts = None if known is None else known.loop
    if facts is None:
        return None
    if facts.is_running(now):
        return ComponentStatus("loop", "healthy", "running", "runs now", f"It runs now; {_open_work(facts)}")
    if facts.last_run is None:
        return _assess_without_run(facts)
    return _assess_run(facts.last_run, facts, now, zone)


def _assess_run(run: LoopRun, facts: LoopFacts, now: int, zone: tzinfo) -> ComponentStatus:
    last = f"last run {timestamp(run.recorded_at, zone)}, {format_age(run.recorded_at, now)}"
    if is_loop_late(run, now):
        sentence = f"Late: {last}, expected by {timestamp(run.next_at, zone)}"
        return ComponentStatus("loop", "degraded", "late", "late", sentence, _RUN_LOOP, "loop late").known_since(
            run.next_at
        )
    failed = [decision for decision in run.decisions if decision.error not in ("", *_REFUSALS)]
    if failed:
        sentence = f"In the {last}, {failed[0].subject} failed: {failed[0].reason}"
        next_step = f"run `mlops loop show {run.seq}`"
        failure = ComponentStatus("loop", "degraded", "failed", "failed", sentence, next_step, "loop failed")
        return failure.known_since(run.recorded_at)
    sentence = f"{last[0].upper()}{last[1:]}; {_open_work(facts)}"
    if facts.waiting:
        first = facts.waiting[0]
        text = f"{sentence}; {first.sentence}"
        return ComponentStatus("loop", "healthy", "waiting", "waits for a person", text, f"run `{first.command}`")
    return ComponentStatus("loop", "healthy", "on_time", "on time", sentence)


def is_loop_late(run: LoopRun, now: int) -> bool:
    """Whether the moment that a run announced for the next one has passed."""
    return now - run.next_at > _GRACE_SHARE * (run.next_at - run.recorded_at) + _GRACE_US


def _assess_without_run(facts: LoopFacts) -> ComponentStatus | None:
    if not facts.open_trials and not any(retrain.is_open for retrain in facts.retrains):
        return None
    sentence = f"The loop never ran, although there is work for it: {_open_work(facts)}"
    return ComponentStatus("loop", "degraded", "never_ran", "never ran", sentence, _RUN_LOOP, "loop never ran")


def _open_work(facts: LoopFacts) -> str:
    n_retrains = sum(retrain.is_open for retrain in facts.retrains)
    return f"{pluralize(len(facts.open_trials), 'open trial')}, {pluralize(n_retrains, 'open retrain')}"
