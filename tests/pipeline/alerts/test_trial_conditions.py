"""Alerts about trials fire for a proposal, and for a day after a trial ended."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.alerts.alert_rules import RuleResult, evaluate_rules
from pipeline.alerts.rule_inputs import RuleInputs
from pipeline.state import Freshness, LoopFacts
from tests.fixtures.toy_dataset import settings
from tests.pipeline.state.loop_records import make_trial

_DAY_US = 86_400_000_000
_NOW = 30 * _DAY_US


def _firing(facts: LoopFacts) -> list[RuleResult]:
    freshness = Freshness(None, None, None)
    inputs = RuleInputs("m", _NOW, {}, freshness, None, None, min_rows=1, loop=facts, loop_mode="act")
    rules = {name: rule for name, rule in settings().alerts.rules.items() if rule.condition.startswith("trial_")}
    return [result for result in evaluate_rules(rules, inputs) if result.is_firing]


@pytest.mark.parametrize(
    ("changes", "severity", "summary"),
    [
        ({"state": "won"}, "info", "version 2 replaced version 1"),
        ({"state": "lost"}, "warning", "version 2 lost against version 1, which stays"),
        ({"state": "undecided"}, "warning", "version 2 is undecided against version 1, which stays"),
        ({"state": "harmful"}, "critical", "version 2 was stopped while it had requests"),
        ({"state": "won", "purpose": "watch"}, "critical", "version 2 is in Production again"),
    ],
)
def test_the_end_of_a_trial_fires_one_rule_for_a_day(changes: dict[str, Any], severity: str, summary: str) -> None:
    recent = make_trial(seq=4, decided_at=_NOW - _DAY_US, **changes)
    (result,) = _firing(LoopFacts(decided_trials=(recent,)))
    assert (result.severity, summary in result.summary) == (severity, True)
    assert result.next_command == "mlops trial show 4"
    assert _firing(LoopFacts(decided_trials=(make_trial(seq=4, decided_at=_NOW - _DAY_US - 1, **changes),))) == []


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"proposal": "canary"}, "info"),
        ({"proposal": "promote", "state": "canary"}, "info"),
        ({"proposal": "roll back", "purpose": "watch"}, "critical"),
    ],
)
def test_a_proposal_names_the_command_that_approves_it(changes: dict[str, Any], severity: str) -> None:
    (result,) = _firing(LoopFacts(open_trials=(make_trial(seq=5, **changes),)))
    assert (result.severity, result.next_command) == (severity, "mlops trial approve 5")


def test_trials_that_ended_together_are_all_named_and_one_that_waits_has_the_command() -> None:
    ended = tuple(make_trial(seq=seq, state="lost", decided_at=_NOW) for seq in (4, 5))
    (lost,) = _firing(LoopFacts(decided_trials=ended))
    assert ("trial 5" in lost.summary, "trial 4" in lost.summary, lost.value) == (True, True, 2)
    won = make_trial(seq=7, state="won", decided_at=_NOW)
    facts = LoopFacts(open_trials=(make_trial(seq=6, proposal="canary"),), decided_trials=(won,))
    assert [result.next_command for result in _firing(facts)] == ["mlops trial approve 6"]


@pytest.mark.parametrize(
    "changes", [{}, {"state": "canary"}, {"state": "void", "decided_at": _NOW}, {"purpose": "watch"}]
)
def test_a_trial_that_goes_on_or_is_void_fires_nothing(changes: dict[str, Any]) -> None:
    trial = make_trial(**changes)
    facts = LoopFacts(open_trials=(trial,)) if trial.is_open else LoopFacts(decided_trials=(trial,))
    assert _firing(facts) == []
