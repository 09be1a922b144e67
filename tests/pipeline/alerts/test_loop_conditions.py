"""Alerts about the loop fire on what the state database holds, and name the command that helps."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.alerts.alert_rules import RuleResult, evaluate_rules
from pipeline.alerts.rule_inputs import RuleInputs
from pipeline.state import Freshness, Lease, LoopDecision, LoopFacts, LoopRun
from tests.fixtures.toy_dataset import settings
from tests.pipeline.state.loop_records import make_retrain

_HOUR_US = 3_600_000_000
_NOW = 1_000 * _HOUR_US
_HOLD = {"name": "caller_share", "result": "hold", "reason": "caller billing sent 80% of 600 labels"}


def _evaluate(facts: LoopFacts, *, mode: Any = "advise") -> dict[str, RuleResult]:
    inputs = RuleInputs("m", _NOW, {}, Freshness(None, None, None), None, None, min_rows=1, loop=facts, loop_mode=mode)
    rules = {
        name: rule for name, rule in settings().alerts.rules.items() if rule.group == "loop" or name == "stale_loop"
    }
    return {result.rule: result for result in evaluate_rules(rules, inputs)}


def _ran(hours_ago: float, action: str = "none", **facts: Any) -> LoopRun:
    at = _NOW - int(hours_ago * _HOUR_US)
    return LoopRun("m", at, "one", (LoopDecision("labels", action, "because", facts),), at + _HOUR_US)


@pytest.mark.parametrize(
    ("facts", "mode", "is_firing", "summary"),
    [
        (LoopFacts(), "advise", None, "the loop never ran"),
        (LoopFacts(_ran(24)), "advise", False, "the loop has not run for 1 day"),
        (LoopFacts(_ran(49)), "advise", True, "the loop has not run for 2 days"),
        (LoopFacts(_ran(25)), "off", False, "lifecycle.mode is off"),
        (LoopFacts(_ran(25), lease=Lease("loop m", "one", _NOW + 1)), "act", False, "the loop runs now"),
    ],
)
def test_a_loop_is_stale_when_it_stopped_running(
    facts: LoopFacts, mode: str, is_firing: bool | None, summary: str
) -> None:
    result = _evaluate(facts, mode=mode)["stale_loop"]
    assert (result.is_firing, result.summary, result.severity) == (is_firing, summary, "warning")


@pytest.mark.parametrize(
    ("changes", "firing", "command"),
    [
        ({"state": "asked"}, {"retrain": "warning"}, "mlops retrain approve 3"),
        ({"state": "refused", "changed_at": _NOW - 24 * _HOUR_US}, {"retrain": "warning"}, "mlops retrain show 3"),
        ({"state": "refused", "changed_at": _NOW - 25 * _HOUR_US}, {}, ""),
        ({"state": "failed", "changed_at": _NOW, "error": "no space"}, {"retrain": "warning"}, "mlops retrain show 3"),
        ({"state": "needs_decision"}, {"retrain_decision": "critical"}, "mlops retrain show 3"),
        ({"state": "on_trial"}, {}, ""),
        ({"state": "on_trial", "facts": {"guards": [_HOLD]}}, {"labels": "warning"}, "mlops retrain list"),
        ({"state": "discarded", "facts": {"guards": [_HOLD]}}, {}, ""),
    ],
)
def test_the_last_retrain_fires_the_rule_of_its_state(
    changes: dict[str, Any], firing: dict[str, str], command: str
) -> None:
    results = _evaluate(LoopFacts(retrains=(make_retrain(seq=3, **changes),)))
    found = [result for result in results.values() if result.is_firing]
    assert {result.rule: result.severity for result in found} == firing
    assert [result.next_command for result in found] == [command] * len(found)


def test_a_guard_that_held_in_the_last_run_of_the_loop_names_its_caller() -> None:
    guards = [_HOLD, {**_HOLD, "result": "pass"}]
    result = _evaluate(LoopFacts(_ran(1, "hold", guards=guards)))["labels"]
    assert (result.is_firing, result.summary, result.value) == (True, _HOLD["reason"], 1)
    assert not _evaluate(LoopFacts(_ran(1, guards=guards)))["labels"].is_firing  # nothing asked for a retrain
