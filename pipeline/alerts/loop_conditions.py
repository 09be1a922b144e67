"""Conditions about the loop: it does not run, a retrain ended badly or waits for a person, labels are suspicious."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.alerts.condition_table import ConditionResult, condition
from pipeline.text import format_duration, shorten

if TYPE_CHECKING:
    from pipeline.alerts.rule_inputs import RuleInputs
    from pipeline.state import LoopFacts, Retrain

__all__ = ["held_guards"]

_US_PER_HOUR = 3_600_000_000
_RECENT_US = 24 * _US_PER_HOUR  # an end of a retrain is reported for a day, or until the next retrain
_MAX_REASON = 160


@condition("stale_loop", "mlops loop --once")
def _stale_loop(inputs: RuleInputs, threshold: float) -> ConditionResult:
    run = inputs.loop.last_run
    if inputs.loop_mode == "off":
        return ConditionResult(is_firing=False, summary="lifecycle.mode is off")
    if run is None:
        return ConditionResult(None, "the loop never ran")
    if inputs.loop.is_running(inputs.evaluated_at):
        return ConditionResult(is_firing=False, summary="the loop runs now")
    age = inputs.evaluated_at - run.recorded_at
    hours = age / _US_PER_HOUR
    return ConditionResult(hours > threshold, f"the loop has not run for {format_duration(max(age, 0))}", hours)


@condition("retrain", "mlops retrain list")
def _retrain(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    last = _last_retrain(inputs.loop)
    if last is None:
        return ConditionResult(is_firing=False, summary="no retrain was asked for")
    if last.state == "asked":
        finding = f"retrain {last.seq} is proposed ({last.cause}) and waits for a person"
        return ConditionResult(is_firing=True, summary=finding, next_command=f"mlops retrain approve {last.seq}")
    if last.state in ("refused", "failed") and inputs.evaluated_at - last.changed_at <= _RECENT_US:
        finding = f"retrain {last.seq} {'was refused' if last.state == 'refused' else 'failed'}"
        summary = f"{finding}: {shorten(last.error, _MAX_REASON)}" if last.error else finding
        return ConditionResult(is_firing=True, summary=summary, next_command=f"mlops retrain show {last.seq}")
    return ConditionResult(is_firing=False, summary=f"retrain {last.seq} is in state {last.state}")


@condition("retrain_decision", "mlops retrain list")
def _retrain_decision(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    waiting = [retrain for retrain in inputs.loop.retrains if retrain.state == "needs_decision"]
    if not waiting:
        return ConditionResult(is_firing=False, summary="no candidate waits for a person")
    newest = waiting[-1]
    summary = (
        f"the candidate of retrain {newest.seq} beats the champion, but not the recalibrated champion:"
        " the world changed, or labels are wrong"
    )
    return ConditionResult(
        is_firing=True, summary=summary, value=len(waiting), next_command=f"mlops retrain show {newest.seq}"
    )


@condition("labels", "mlops retrain list")
def _labels(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    holds = held_guards(inputs.loop)
    if not holds:
        return ConditionResult(is_firing=False, summary="no guard holds the labels")
    return ConditionResult(is_firing=True, summary=shorten(str(holds[0]["reason"]), 2 * _MAX_REASON), value=len(holds))


def held_guards(facts: LoopFacts) -> list[dict[str, Any]]:
    """Return the guards that hold the last retrain, or held one in the last run of the loop."""
    last = _last_retrain(facts)
    sources = [{} if last is None or last.state == "discarded" else last.facts]
    if facts.last_run is not None:
        sources += [decision.facts for decision in facts.last_run.decisions if decision.action == "hold"]
    guards = [guard for source in sources for guard in source.get("guards", ())]
    return [guard for guard in guards if guard["result"] == "hold"]


def _last_retrain(facts: LoopFacts) -> Retrain | None:
    return facts.retrains[-1] if facts.retrains else None
